"""The benchmark: speed, threads and start-up of pyxnn in the browser, beside other libraries.

./build.sh bench [--quick] [--models NAMES] [--threads COUNTS] [--peers NAMES] [--rounds N] [--layers] [--ops [BEGIN]]
                 [--quantized] [--profile MODEL] [--json FILE] [--plot]
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from tests.models import BENCHMARK, DECODING, LAYERS, MODELS, ORIGINS, QUANTIZED, STATIC
from tests.models.operators import OPERATORS, Single
from tools import chromium, site
from tools.bench import alone, figures, loading, peers, plot, report, timing
from tools.bench.case import Case
from tools.bench.machine import Quiet, processor
from tools.bench.peers import NATIVE, NUMPY, PYXNN, Lab, Library, Peer
from tools.bench.results import Model, Results, ours
from tools.run import ROOT, attempt, say

DOCS = ROOT / "docs"
PEERS: dict[str, Callable[[], Library]] = {
    "onnxruntime-web": peers.onnxruntime_web,
    "litert": peers.litert,
    "tfjs": peers.tfjs,
    "native": lambda: NATIVE,
    "numpy": lambda: NUMPY,
}
NUMPY_MODEL = "matmul_512"  # the one row for the fun of it
QUICK_MODELS = ("mobilenet_v2", "matmul_512")
ROUNDS, QUICK_ROUNDS = 6, 4
PATIENCE, QUICK_PATIENCE = 120.0, 20.0  # seconds to wait for a quiet machine
PROFILES = 5
SWEEPS = 6


def main() -> None:
    options = arguments(sys.argv[1:])
    start = time.monotonic()
    results = run(options)
    results["seconds"] = time.monotonic() - start
    say("\n" + report.tables(results))
    if options.profile:
        for model in results["models"]:
            say(f"## Profile of {model['name']}\n\n{report.profile(model['profile'])}\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.plot and options.ops is not None:
        (DOCS / "kernels.md").write_text(report.kernels_page(results))
        say("docs/kernels.md written")
    elif options.plot and options.quantized:
        (DOCS / "quantized.md").write_text(report.quantized_page(results, QUANTIZED))
        say("docs/quantized.md written")
    elif options.plot:
        (DOCS / "performance.svg").write_text(plot.svg(results))
        (DOCS / "performance.md").write_text(report.page(results))
        say("docs/performance.svg and docs/performance.md written")
    say(f"{results['seconds']:.0f} s")


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./build.sh bench", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument(
        "--models", type=names(MODELS), help=f"of {', '.join(MODELS)}", metavar="NAMES"
    )
    parser.add_argument(
        "--threads", type=counts, help="such as 1,2; all by default", metavar="COUNTS"
    )
    parser.add_argument(
        "--peers", type=names(PEERS), help=f"of {', '.join(PEERS)}", metavar="NAMES"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        help="bursts of ten runs for each row, a third of that for slow ones",
        metavar="N",
    )
    parser.add_argument("--quick", action="store_true", help="two models, in under three minutes")
    parser.add_argument("--layers", action="store_true", help="layers alone, and nothing else")
    parser.add_argument(
        "--ops",
        nargs="?",
        const="",
        metavar="BEGIN",
        help="operators alone whose names begin so, and nothing else",
    )
    parser.add_argument(
        "--quantized", action="store_true", help="models on fewer bits beside their float ones"
    )
    parser.add_argument(
        "--profile", choices=MODELS, metavar="MODEL", help="one model, step by step"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--plot",
        action="store_true",
        help="write docs/performance.{svg,md}, or docs/kernels.md of operators, docs/quantized.md of models on fewer bits",
    )
    options = parser.parse_args(words)
    chosen = options.models
    if options.profile:
        options.models, options.peers = [options.profile], options.peers or []
    elif options.layers or options.ops is not None:
        options.models, options.peers = chosen or [], options.peers or []
    else:
        few = [*ORIGINS, *QUANTIZED] if options.quantized else QUICK_MODELS
        options.models = chosen or list(few if options.quick or options.quantized else BENCHMARK)
        most = [name for name in PEERS if name != "numpy" or not options.quick]
        options.peers = most if options.peers is None else options.peers
    # What a full run has, and one that was asked for a part hasn't.
    options.all = not (
        chosen
        or options.profile
        or options.layers
        or options.ops is not None
        or options.quantized
        or options.quick
    )
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.words = without_file(words)
    return options


def without_file(words: Sequence[str]) -> list[str]:
    """The command line but for `--json FILE`, which changes no figure and names a place on one machine."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json")
    return parser.parse_known_args(words)[1]


def names(known: Container[str]) -> Callable[[str], list[str]]:
    """Reads names of `known`, with commas between; an empty text is none."""

    def read(text: str) -> list[str]:
        chosen = [name for name in text.split(",") if name]
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"there is no {name}")
        return chosen

    return read


def counts(text: str) -> list[int]:
    """Reads numbers with commas between."""
    return sorted({int(number) for number in text.split(",")})


def run(options: argparse.Namespace) -> Results:
    """Measures what the command line asks for."""
    libraries = [PYXNN, *peers.obtainable(PEERS[name]() for name in options.peers)]
    patience = QUICK_PATIENCE if options.quick else PATIENCE
    with peers.lab(site.TARGET, libraries) as lab, lab.quiet(patience) as quiet:
        with lab.peer(PYXNN, 1) as peer:
            device = peer.call("device")
        say(f"{chromium.version()}, binary {device['binary']}, {device['threads']} threads")
        threads = options.threads or sorted({1, device["threads"]})
        peak = measure_peak(lab)
        say(f"peak of a thread: {peak['gflops']:.1f} GFLOP/s, {peak['gigabytes']:.1f} GB/s")
        layers = {name: Single(make) for name, make in LAYERS.items()}
        operators = {
            name: single
            for name, single in OPERATORS.items()
            if options.ops is not None and name.startswith(options.ops)
        }
        found: list[Model] = []
        for family in families(options.models):
            # New pages for each, as a page's memory never shrinks.
            with lab.peers(libraries, threads) as running:
                jobs = [
                    (
                        case(name),
                        [peer for peer in running if peer.library != NUMPY or name == NUMPY_MODEL],
                    )
                    for name in family
                ]
                found += measure(jobs, options.rounds, quiet, peak)
            read_weights(lab, found, [case for case, _ in jobs if case.name in DECODING], quiet)
        return {
            "date": datetime.date.today().isoformat(),
            "processor": processor(),
            "browser": chromium.version(),
            "binary": device["binary"],
            "arguments": options.words,
            "rounds": options.rounds,
            "peak": peak,
            "models": found,
            "layers": alone.measure(lab, layers, threads, peak, quiet)
            if options.layers or options.all
            else [],
            "operators": alone.measure(lab, operators, threads, peak, quiet)
            if options.ops is not None
            else [],
            "loading": loading.measure(lab, case("mobilenet_v2"), libraries, threads[-1])
            if options.quick or options.all
            else None,
            "disturbed": quiet.disturbed,
            "seconds": 0,
        }


def families(names: Sequence[str]) -> list[list[str]]:
    """Models that are measured in turns: a float one, and those on fewer bits that are made from it."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(QUANTIZED.get(name, name), []).append(name)
    return list(found.values())


def case(name: str) -> Case:
    """A model of the table, with random input."""
    origin = STATIC.get(name)
    return Case.random(name, MODELS[name](), MODELS[origin]() if origin else None)


def measure_peak(lab: Lab) -> figures.Peak:
    """What one thread can do; the best of a few tries."""
    with lab.page() as page:
        script = "async () => (await import('/bench/peak.js')).measure()"
        tries: list[figures.Peak] = [page.evaluate(script) for _ in range(5)]
    return {
        "gflops": max(peak["gflops"] for peak in tries),
        "gigabytes": max(peak["gigabytes"] for peak in tries),
    }


def measure(
    jobs: Sequence[tuple[Case, Sequence[Peer]]], rounds: int, quiet: Quiet, peak: figures.Peak
) -> list[Model]:
    """Times each case on its peers, and asks pyxnn where it runs and what its steps take."""
    found = timing.measure(jobs, rounds, quiet)
    return [_model(measured, peers, peak) for measured, (_, peers) in zip(found, jobs, strict=True)]


def read_weights(lab: Lab, models: Sequence[Model], cases: Sequence[Case], quiet: Quiet) -> None:
    """Notes in pyxnn's rows of these cases what a plain loop takes for their weights."""
    weights = {case.name: case.weights for case in cases}
    for model in models:
        for row in ours(model) if model["name"] in weights else ():
            traffic = alone.Traffic(weights[model["name"]], 0)
            with lab.page() as page:
                time = min(
                    alone.loop_time(page, traffic, row["threads"], quiet) for _ in range(SWEEPS)
                )
            row["loop"] = traffic.read / time / 1e6


def _model(measured: timing.Measured, running: Sequence[Peer], peak: figures.Peak) -> Model:
    case = measured.case
    model: Model = {
        "name": case.name,
        "flops": case.flops,
        "rows": figures.rows(measured, peak),
        "left_out": sorted({f"{out.library.name}: {out.reason}" for out in measured.left_out}),
        "placement": "",
        "reasons": {},
        "profile": [],
    }
    for peer in running:
        timed = timing.find(measured.rows, peer.library, peer.threads)
        if peer.library == PYXNN and timed and isinstance(peer, peers.PagePeer):
            where = peer.call("placement", case.name)
            model["placement"], model["reasons"] = where["summary"], where["reasons"]
            times = peer.call("profile", case.name, 1 if timed.first > timing.SLOW else PROFILES)
            model["profile"] = figures.steps(times)
    return model


if __name__ == "__main__":
    sys.exit(attempt(main))
