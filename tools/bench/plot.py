"""The results as bars: how fast each library is beside pyxnn, model by model. SVG that reads on light and on dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tools.bench.figures import Row
from tools.bench.results import Model, Results

WIDTH, LEFT, RIGHT = 860, 190, 190
BAR, GAP, TITLE, TOP = 16, 5, 30, 44
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 13px; }
.label { text-anchor: end; }
.other { fill: #9aa5b1; }
.ours { fill: #d9480f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .other { fill: #57606a; }
  .ours { fill: #ff8c42; }
}
"""


def svg(results: Results) -> str:
    """One group of bars a model, on the most threads; the longer a bar, the longer a run takes."""
    parts, y = [], TOP
    for model in results["models"]:
        rows = browser_rows(model)
        if rows:
            parts.append(_group(model, rows, y))
            y += TITLE + len(rows) * (BAR + GAP)
    threads = max(
        (row["threads"] for model in results["models"] for row in model["rows"]), default=1
    )
    heading = (
        f"Milliseconds a run on {threads} thread{'s' * (threads > 1)}, shorter is faster; "
        f"{results['processor']}, {results['browser']}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + GAP}" role="img">\n'
        f"<title>{escape(heading)}</title>\n<style>{STYLE}</style>\n"
        f'<text x="8" y="20">{escape(heading)}</text>\n' + "".join(parts) + "</svg>\n"
    )


def browser_rows(model: Model) -> list[Row]:
    """What runs in the browser on the most threads, pyxnn first."""
    most = max((row["threads"] for row in model["rows"]), default=1)
    rows = [
        row
        for row in model["rows"]
        if row["threads"] == most and not row["library"].startswith("native")
    ]
    return sorted(rows, key=lambda row: row["library"] != "pyxnn")


def _group(model: Model, rows: Sequence[Row], top: int) -> str:
    scale = (WIDTH - LEFT - RIGHT) / max(row["best"] for row in rows)
    lines = [f'<text class="title" x="8" y="{top + TITLE - 12}">{escape(model["name"])}</text>\n']
    for i, row in enumerate(rows):
        y = top + TITLE + i * (BAR + GAP) - GAP
        length, middle = max(row["best"] * scale, 1), y + BAR - 4
        kind = "ours" if row["library"] == "pyxnn" else "other"
        lines.append(
            f'<text class="label" x="{LEFT - 8}" y="{middle}">{escape(row["library"])}</text>'
            f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{LEFT + length + 6:.1f}" y="{middle}">{row["best"]:.1f} ms{_times(row)}</text>\n'
        )
    return "".join(lines)


def _times(row: Row) -> str:
    """Of pyxnn, how it compares with the fastest peer."""
    if row["library"] != "pyxnn" or not row["to_fastest"]:
        return ""
    return f", {row['to_fastest']:.2f}x the fastest peer"
