"""The results as Markdown: for the screen and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from tools import markdown
from tools.bench.figures import Alone, Row, Step
from tools.bench.loading import Loading
from tools.bench.results import Model, Results, ours, worst

STEPS = 15
_table = partial(markdown.table, aligned=True)  # they are shown on the screen, too

COLUMNS = (
    *("library", "threads", "best", "median", "minimum", "GFLOP/s", "of peak"),
    *("x fastest", "x ort-web", "session", "first run", "error"),
)
HOW = """\
Each library runs on a page of its own in one headless Chromium. Its output is checked against native onnxruntime before
anything is timed; after a warm-up of at least 5 runs and 1.5 s of each, bursts of 10 runs alternate between all pages, model by model
and then all over again, so that the bursts of a row are spread over the whole run. A burst begins when the machine is idle and is
repeated when other programs used more than 8 % of a core meanwhile; one on several threads also waits until a cache line goes from
core to core as fast as ever, as a virtual machine's cores are at times on two dies with caches of their own. A row that doesn't have two
bursts whose medians are within 5 % of its fastest run gets up to six bursts more. A run begins with the
input in an array of the caller's and ends with the output in one. Native onnxruntime, outside of the browser, is for scale: it has
wider vectors (AVX). NumPy in Pyodide is pyxnn's CPU provider, for the fun of it. What takes more than 2 s is timed once.

*best* is the best burst's median, the figure to quote; *median* and *minimum* are over all runs. All are milliseconds. *of peak* is the
share of what that many threads could do in multiply-adds, measured in the same browser; FLOPs are those of the model, of which
minimal filtering and products of bytes leave some out, so it may be more than all. *x fastest* says how many times as
fast as the fastest other library of the browser a row is, *x ort-web* the same of onnxruntime-web. *error* is the greatest difference of an
output's element from native onnxruntime's; 8-bit models of other libraries are quantized by their own tools. On other machines
other figures will come out, and on this one the speed drifts: what differs by less than 15 % is the same.
"""
HOW_QUANTIZED = """\
Models by onnxruntime's own tools, and the float models that they were made from: *int8* with uint8 activations and int8 weights per
channel, calibrated by seeded numbers; *dynamic* with products on integers that are quantized as they come; *few_bits* with weights in
blocks of 4 bits, *8_bits* of 8; *by_int8* permits 8 bits for what they multiply, too. Measured as [performance.md](performance.md) says; *x float* is how many times as fast as pyxnn's own
float model one is. The decoder is a step of GPT-2's: one token after 127 others, whose keys and values are cached. Of it, *GB/s* is how
fast the whole step goes through its weights, and *loop, GB/s* how fast a plain loop on as many threads reads as many bytes. Memory
bounds the step by 8 bits: the same kernel goes faster through weights that caches hold than a plain loop through memory
([kernels.md](kernels.md), MatMulNBits_4_by_int8_1x2048). Kernels read four streams of weights side by side, a plain loop one, so they may
be ahead of it.
"""
HOW_ALONE = """\
Layers and operators alone are single nodes on pyxnn; *ms* is the time of their kernels inside a run, of the best burst of 30.
*arithmetic* is what their multiply-adds, and the other vector operations that a good implementation needs, take at the peak;
*memory* what a plain loop on as many threads takes to read what goes in and to write what comes out, from the caches if
these hold it; *x bound* how many times the greater of both the kernel takes. Where that is memory, *GB/s* is what the kernel reads and
writes in its time, and *loop, GB/s* the same of the plain loop.
"""


def page(results: Results) -> str:
    """docs/performance.md."""
    return "\n".join(
        [
            "# Performance",
            "",
            "![Times of pyxnn and of other libraries, model by model](performance.svg)",
            "",
            *measured(results),
            tables(results),
            "## How it is measured",
            "",
            HOW,
            HOW_ALONE,
        ]
    )


def kernels_page(results: Results) -> str:
    """docs/kernels.md."""
    table = alone(results["operators"])
    return "\n".join(["# Operators alone", "", *measured(results), HOW_ALONE, table, ""])


def quantized_page(results: Results, origins: Mapping[str, str]) -> str:
    """docs/quantized.md; `origins` are the float models by the names of those on fewer bits."""
    title = ["# Models on fewer bits", "", *measured(results), HOW_QUANTIZED]
    return "\n".join([*title, quantized(results, origins), tables(results)])


def quantized(results: Results, origins: Mapping[str, str]) -> str:
    """Each model on fewer bits against its float model on pyxnn, and against other libraries."""
    own = {
        (model["name"], row["threads"]): row for model in results["models"] for row in ours(model)
    }
    return _table(
        (
            "model",
            "threads",
            "ms",
            "float, ms",
            "x float",
            "x fastest",
            "fastest",
            "x ort-web",
            "error",
            "GB/s",
            "loop, GB/s",
        ),
        [
            (
                name,
                str(threads),
                f"{row['best']:.2f}",
                f"{own[origins[name], threads]['best']:.2f}",
                f"{own[origins[name], threads]['best'] / row['best']:.2f}",
                _ratio(row["to_fastest"]),
                row["fastest"] or "",
                _ratio(row["to_onnxruntime_web"]),
                f"{row['error']:.0e}",
                f"{row['gigabytes']:.1f}" if row["loop"] else "",
                f"{row['loop']:.1f}" if row["loop"] else "",
            )
            for (name, threads), row in own.items()
            if name in origins
        ],
    )


def measured(results: Results) -> list[str]:
    """When and how."""
    command = " ".join(["./build.sh bench", *results["arguments"]])
    return [
        f"Measured on {results['date']} on {results['processor']}, in {results['browser']} with the binary "
        f"`{results['binary']}`, by `{command}` in {results['seconds'] / 60:.0f} minutes. "
        f"One thread's peak: {results['peak']['gflops']:.1f} GFLOP/s of multiply-adds, "
        f"{results['peak']['gigabytes']:.1f} GB/s read from memory.",
        "",
        "To repeat it: the same command, on a machine that does nothing else.",
        "",
    ]


def tables(results: Results) -> str:
    """All that was found."""
    parts = ["## Where pyxnn stands", "", *verdicts(results), ""]
    for model in results["models"]:
        parts += [
            f"## {model['name']}"
            + (f", {flops / 1e9:.2f} GFLOP" if (flops := model["flops"]) else ""),
            "",
            models(model["rows"]),
        ]
        parts += [f"- {line}" for line in _notes(model)] + [""]
    behind = worst(results)
    if behind and behind["profile"]:
        parts += [f"## Where the time goes in the worst case, {behind['name']}", ""]
        parts += [profile(behind["profile"]), ""]
    if results["layers"]:
        parts += ["## Layers alone", "", alone(results["layers"]), ""]
    if results["operators"]:
        parts += ["## Operators alone", "", alone(results["operators"]), ""]
    if results["loading"]:
        parts += ["## Loading", "", loading(results["loading"]), ""]
    if results["disturbed"]:
        parts += [
            f"{results['disturbed']} bursts were disturbed by other programs, or ran on cores far apart.",
            "",
        ]
    return "\n".join(parts)


def verdicts(results: Results) -> list[str]:
    """For each model and number of threads, whether pyxnn is ahead of the fastest peer, and by what factor."""
    lines = []
    for model in results["models"]:
        if not ours(model):
            lines.append(f"- {model['name']}: **pyxnn can't run it** (the reason is below)")
        for row in ours(model):
            if row["to_fastest"]:
                lines.append(f"- {model['name']}, {_threads(row['threads'])}: {_verdict(row)}")
    return lines or ["- No peer was measured."]


def _verdict(row: Row) -> str:
    ratio = row["to_fastest"]
    assert ratio
    if ratio >= 1:
        text = f"ahead, {ratio:.2f} times as fast as {row['fastest']}"
    else:
        text = f"**behind**, {1 / ratio:.2f} times as slow as {row['fastest']}"
    web = row["to_onnxruntime_web"]
    return text + (f"; {web:.2f} times as fast as onnxruntime-web" if web else "")


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"


def _notes(model: Model) -> list[str]:
    notes = [f"pyxnn: {model['placement']}"] if model["placement"] else []
    notes += [f"{op_type} is not on XNNPACK: {why}" for op_type, why in model["reasons"].items()]
    return notes + [f"left out: {line}" for line in model["left_out"]]


def models(rows: Sequence[Row]) -> str:
    """The table of one model."""
    return _table(
        COLUMNS,
        [
            (
                row["library"],
                str(row["threads"]),
                f"{row['best']:.2f}",
                f"{row['median']:.2f}",
                f"{row['minimum']:.2f}",
                f"{row['gflops']:.1f}",
                f"{row['peak_share']:.0%}" if row["peak_share"] else "",
                _ratio(row["to_fastest"]),
                _ratio(row["to_onnxruntime_web"]),
                f"{row['session']:.0f}",
                f"{row['first']:.0f}",
                f"{row['error']:.0e}",
            )
            for row in rows
        ],
    )


def _ratio(value: float | None) -> str:
    return f"{value:.2f}" if value else ""


def profile(steps: Sequence[Step]) -> str:
    """The slowest steps of a run."""
    slowest = sorted(steps, key=lambda step: -step["milliseconds"])[:STEPS]
    total = sum(step["milliseconds"] for step in steps)
    shown = _table(
        ("provider", "operator", "kernel", "node", "shape", "ms", "share", "GFLOP/s", "GB/s"),
        [
            (
                step["provider"],
                step["kind"],
                step["kernel"],
                step["name"],
                "x".join(map(str, step["shape"])),
                f"{step['milliseconds']:.3f}",
                f"{step['share']:.1%}",
                f"{step['gflops']:.1f}" if step["gflops"] else "",
                f"{step['gigabytes']:.1f}" if step["gigabytes"] >= 0.05 else "",
            )
            for step in slowest
        ],
        words=5,
    )
    return f"{shown}\n{len(steps)} steps, {total:.2f} ms; the slowest {len(slowest)} are shown."


def alone(rows: Sequence[Alone]) -> str:
    """Kernels against what arithmetic and memory allow."""
    return _table(
        ("kernel", "threads", "ms", "arithmetic", "memory", "x bound", "GB/s", "loop, GB/s"),
        [
            (
                row["name"],
                str(row["threads"]),
                f"{row['best']:.3f}",
                f"{row['arithmetic']:.3f}",
                f"{row['memory']:.3f}",
                f"{row['factor']:.2f}",
                *_rates(row),
            )
            for row in rows
        ],
    )


def _rates(row: Alone) -> tuple[str, str]:
    """The GB/s of a kernel, and of the plain loop, that memory is the bound of."""
    if row["arithmetic"] > row["memory"]:
        return "", ""
    kernel, loop = (f"{row['bytes'] / row[time] / 1e6:.1f}" for time in ("best", "memory"))
    return kernel, loop


def loading(found: Loading) -> str:
    """Sizes, stages and memory."""
    files = _table(
        ("file", "MB", "MB gzip"),
        [
            (size["name"], f"{size['raw'] / 1e6:.2f}", f"{size['gzip'] / 1e6:.2f}")
            for size in found["sizes"]
        ],
    )
    rows = [(name, f"{milliseconds:.0f}") for name, milliseconds in found["stages"]]
    stages = _table(
        (f"stage, cold, to {found['model']}'s first result", "ms"),
        [*rows, ("total", f"{found['total']:.0f}")],
    )
    memory = (
        f"Memory after that: the engine's heap at most {found['engine'] / 1e6:.1f} MB, Pyodide's "
        f"{found['pyodide'] / 1e6:.1f} MB, the page's JavaScript {found['page'] / 1e6:.1f} MB. "
        f"A call that has next to nothing to compute takes {found['call']:.0f} us."
    )
    return "\n".join([files, stages, memory])
