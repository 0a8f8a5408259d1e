"""Tables of the pages in docs/."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1, *, aligned: bool = False
) -> str:
    """A Markdown table.

    Args:
        header: names of the columns.
        rows: their cells.
        words: so many of the first columns are aligned left, the others right.
        aligned: also in the source, for tables that are shown on the screen; else a cell that changes changes its line alone.
    """
    lines = [list(header), *map(list, rows)]
    longest = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]
    rule = ["-" * (width if aligned else 3) for width in longest]
    rule = [dashes if i < words else dashes[1:] + ":" for i, dashes in enumerate(rule)]
    lines.insert(1, rule)
    if aligned:
        lines = [
            [
                cell.ljust(width) if i < words else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, longest, strict=True))
            ]
            for line in lines
        ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
