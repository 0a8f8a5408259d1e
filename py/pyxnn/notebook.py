"""What notebooks show in place of printed text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(summary: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """HTML of a sentence and a table below it; all cells are text."""
    head = _cells("th", header)
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return (
        f"<p>{escape(summary)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag} style='text-align:left'>{escape(text)}</{tag}>" for text in texts)
