"""The main job: models through pyxnn in a real browser, checked and timed; then the page, served.

python3 -m tools.demo [--headless] [--port PORT] [--screenshot FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import onnx
from playwright.sync_api import Page

from tests.models import digits
from tests.models.mobilenet_v2 import mobilenet_v2
from tools import chromium, serve, site
from tools.bench import peers, timing
from tools.bench.case import Case
from tools.bench.peers import PYXNN, Lab, PagePeer
from tools.run import BUILD, BuildError, attempt, say

MIN_ACCURACY = 0.97
MAX_ERROR = 1e-3
PATIENCE = 20  # seconds spent on waiting for a quiet machine
SEVEN = [(0.28, 0.18), (0.72, 0.18), (0.6, 0.45), (0.45, 0.86)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--headless", action="store_true", help="stop before serving the page")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--screenshot", type=Path, default=BUILD / "demo.png", metavar="FILE")
    options = parser.parse_args()
    with peers.lab(site.TARGET, [peers.onnxruntime_web()]) as lab:
        run(lab, options.screenshot)
    if not options.headless:
        serve.forever(site.TARGET, port=options.port)


def run(lab: Lab, screenshot: Path) -> None:
    """The headless part."""
    with lab.peer(PYXNN, 1) as peer:
        device = peer.call("device")
        say(f"{chromium.version()}, binary {device['binary']}, {device['threads']} threads")
        show_digits(peer)
        picture(peer.page, screenshot)
    show_mobilenet(lab, sorted({1, device["threads"]}))


def show_digits(peer: PagePeer) -> None:
    """Accuracy on the held-out images, against native onnxruntime."""
    images, labels = digits.held_out()
    case = Case("digits", onnx.load(digits.MODEL_PATH), images)
    peer.load(case)
    ours = digits.accuracy(peer.output(case), labels)
    native = digits.accuracy(case.expected, labels)
    say(f"digits, {len(labels)} held-out images: {ours:.2%} right; native onnxruntime {native:.2%}")
    if ours < MIN_ACCURACY:
        raise BuildError("fewer than 97 % of the held-out digits were read rightly")


def show_mobilenet(lab: Lab, counts: list[int]) -> None:
    """MobileNetV2 through pyxnn and through onnxruntime-web, in turns, on one thread and on all."""
    case = Case.random("mobilenet_v2", mobilenet_v2())
    other = peers.onnxruntime_web()
    say(f"MobileNetV2 1.0/224, {case.flops / 1e9:.2f} GFLOP a run")
    with lab.peers((PYXNN, other), counts) as running, lab.quiet(PATIENCE) as quiet:
        ((_, rows, _),) = timing.measure([(case, running)], rounds=12, quiet=quiet)
    for threads in counts:
        ours, theirs = (timing.find(rows, library, threads) for library in (PYXNN, other))
        if not (ours and theirs):
            raise BuildError("MobileNetV2 could not be measured; the reason is above")
        ratio = theirs.best / ours.best
        say(f"on {threads} thread{'s' * (threads > 1)}: {ratio:.2f} times as fast as {other.name}")
    worst = max(row.error for row in rows if row.library == PYXNN)
    if worst > MAX_ERROR:
        raise BuildError(f"MobileNetV2 is off by {worst:.1e} from native onnxruntime")


def picture(page: Page, file: Path) -> None:
    """Uses the page as a visitor would, and saves what it looks like."""
    box = page.locator("#digit-pad").bounding_box()
    assert box
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    page.get_by_role("button", name="MobileNetV2").click()
    for name in ("Run", "Measure speed"):
        page.get_by_role("button", name=name, exact=True, disabled=False).click()
    page.locator("#model-measure:enabled").wait_for()
    if page.locator("#model-error").is_visible():
        raise BuildError(f"the page says: {page.locator('#model-error').inner_text()}")
    page.mouse.move(0, 0)
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=True)
    say(f"screenshot: {file}")


if __name__ == "__main__":
    sys.exit(attempt(main))
