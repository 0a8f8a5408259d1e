"""The benchmark: speed, threads and start-up of pyxnn in the browser, beside onnxruntime-web.

python3 -m tools.bench [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics

from tests.models import MODELS
from tools import chromium, peers, site, timing
from tools.peers import PYXNN, Case, Lab
from tools.run import say

NETWORK = "mobilenet_v2"
LAYERS = ("conv3x3_56x56x64", "matmul_1024")
CALL = "relu_1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=8, help="bursts of ten runs for each row")
    options = parser.parse_args()
    with peers.lab(site.TARGET) as lab:
        run(lab, options.rounds)


def run(lab: Lab, rounds: int) -> None:
    """Measures everything, then says how it compares with what was asked for."""
    with lab.peer(PYXNN, 1) as peer:
        device = peer.call("device")
        stages = {stage["name"]: stage["milliseconds"] for stage in peer.call("stages")}
    say(f"{chromium.version()}, binary {device['binary']}, {device['threads']} threads")
    say(timing.HEADER)
    counts = sorted({1, device["threads"]})
    other = peers.onnxruntime_web()
    network = timing.measure(lab, case(NETWORK), (PYXNN, other), counts, rounds)
    layers = {name: timing.measure(lab, case(name), (PYXNN,), counts, rounds) for name in LAYERS}
    verdicts = []
    for threads in counts:
        ours, theirs = (timing.find(network, library, threads) for library in (PYXNN, other))
        ratio = theirs.best / ours.best
        verdicts.append(
            (f"{NETWORK} against {other.name}, threads: {threads}", f"{ratio:.2f}", "2.0 or more")
        )
    for name, rows in layers.items():
        gain = rows[0].best / rows[-1].best
        verdicts.append((f"{name}: gain by {counts[-1]} threads", f"{gain:.2f}", "1.8 or more"))
    for threads in counts:
        spent = overhead(lab, threads)
        verdicts.append(
            (f"session.run beyond kernels, threads: {threads}", f"{spent:.0f} us", "under 100 us")
        )
    imported = stages["import pyxnn"]
    verdicts.append(("import pyxnn beyond numpy and onnx", f"{imported:.0f} ms", "under 300 ms"))
    creation = min(row.creation for row in network if row.library == PYXNN)
    verdicts.append((f"{NETWORK}: session", f"{creation:.0f} ms", "under 300 ms"))
    for what, is_, wanted in verdicts:
        say(f"{what:56}  {is_:>8}  ({wanted})")


def case(name: str) -> Case:
    """A model of the table, with random input."""
    return Case.random(name, MODELS[name]())


def overhead(lab: Lab, threads: int) -> float:
    """Microseconds of a call that does next to nothing, less its kernel's."""
    nothing = case(CALL)
    nothing.write()
    with lab.peer(PYXNN, threads) as peer:
        peer.load(nothing)
        call = statistics.median(peer.burst(2000)[1000:])
        kernels: float = peer.call("kernels")
    return (call - kernels) * 1e3


if __name__ == "__main__":
    main()
