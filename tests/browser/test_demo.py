"""The demo page, used as a visitor would: with mouse, keyboard and files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from onnx import parser
from playwright.sync_api import Browser, Locator, Page, expect

from tests.models import digits

START_TIMEOUT = 120_000
TIMES = "\N{MULTIPLICATION SIGN}"
PARTS = """<ir_version: 8, opset_import: ["" : 17]>
parts (float[n, 3, h, w] x) => (float[n, c] y) {
    relu = Relu(x)
    determinant = Det(relu)
    tanh = Tanh(relu)
    pooled = GlobalAveragePool(tanh)
    flat = Flatten(pooled)
    y = Mul(flat, determinant)
}"""


@pytest.fixture(scope="module")
def _open_page(browser: Browser, site_address: str) -> Iterator[tuple[Page, list[str]]]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site_address)
    expect(page.locator("#loading")).to_be_hidden(timeout=START_TIMEOUT)
    yield page, errors
    page.close()


@pytest.fixture
def page(_open_page: tuple[Page, list[str]]) -> Iterator[Page]:
    page, errors = _open_page
    yield page
    assert not errors


def open_file(page: Page, path: Path) -> None:
    page.locator("#model-file").set_input_files(path)
    idle(page)


def idle(page: Page) -> None:
    expect(page.locator("#model-status")).to_be_empty(timeout=60_000)


def press(button: Locator, key: str = "Enter") -> None:
    button.focus()
    button.press(key)


def test_says_what_it_runs_on(page: Page) -> None:
    expect(page.locator("#device")).to_contain_text("threads")


def test_drawing(page: Page) -> None:
    box = page.locator("#digit-pad").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.9, steps=5)
    page.mouse.up()
    expect(page.locator("#digit-verdict")).to_contain_text("Read as 1 ")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#digit-verdict")).to_contain_text("Draw a digit")


def test_samples_by_keyboard(page: Page) -> None:
    for label in range(10):
        press(page.get_by_role("button", name=f"Scanned {label}"))
        expect(page.locator("#digit-verdict")).to_contain_text(f"Read as {label} ")
        expect(page.locator("#digit-bars .strong .bar-label")).to_have_text(f"{label}")


def test_held_out_images(page: Page) -> None:
    page.get_by_role("button", name="Check all").click()
    expect(page.locator("#digit-verdict")).to_contain_text(f"of {len(digits.held_out().labels)}")


def test_model_in_parts(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "parts.onnx"
    onnx.save(parser.parse_model(PARTS), path)
    open_file(page, path)
    expect(page.locator("#model-facts")).to_contain_text("6 nodes in 3 parts")
    expect(page.locator("#model-inputs")).to_have_text(f"x float, n {TIMES} 3 {TIMES} h {TIMES} w")
    assert page.locator("#graph-frame .node.cpu").all_text_contents() == ["Det"]
    assert page.locator("#graph-frame .node.xnnpack").count() == 5
    assert page.locator("#graph-frame .region").count() == 3
    expect(page.locator("#model-reasons")).to_contain_text("Det")
    for name in ("h", "w"):
        page.get_by_label(name, exact=True).fill("3")
    press(page.get_by_role("button", name="Run", exact=True))
    expect(page.locator("#model-results")).to_contain_text(f"1 {TIMES} 3")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_focused()


def test_graph_by_keyboard(page: Page) -> None:
    page.get_by_role("button", name="the digits model").click()
    idle(page)
    page.locator("#graph-frame [tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#graph-detail")).to_contain_text("Conv “conv0”")
    page.keyboard.press("End")
    expect(page.locator("#graph-detail")).to_contain_text("probabilities")
    expect(page.locator("#graph-frame [aria-selected='true']")).to_have_count(1)


def test_speed(page: Page) -> None:
    page.get_by_role("button", name="the digits model").click()
    idle(page)
    page.get_by_role("button", name="Measure speed").click()
    expect(page.locator("#speed-rows tr").first).to_contain_text("1 thread", timeout=60_000)
    step = page.locator("#speed-steps tr", has_text="Conv").first
    expect(step).to_contain_text(re.compile("convolution|winograd"))
    rates = [float(text) for text in step.locator("td").all_inner_texts()[5:7]]
    assert all(rate > 0 for rate in rates)
    expect(page.locator("#speed-steps tr").first).to_contain_text("%")


def test_wrong_files(page: Page, tmp_path: Path) -> None:
    for content in (b"no model", digits.MODEL_PATH.read_bytes()[:50_000]):
        path = tmp_path / "wrong.onnx"
        path.write_bytes(content)
        open_file(page, path)
        expect(page.get_by_role("alert")).to_contain_text("is not an ONNX model, or it is cut off")
        expect(page.locator("#model-panel")).to_be_hidden()
    open_file(page, digits.MODEL_PATH)
    expect(page.locator("#model-error")).to_be_hidden()


def test_image_as_input(page: Page, tmp_path: Path) -> None:
    image = tmp_path / "picture.png"
    page.locator("#digit-pad").screenshot(path=image)
    open_file(page, digits.MODEL_PATH)
    open_file(page, image)
    expect(page.locator("#model-input")).to_have_text("The image picture.png.")
    expect(page.locator("#model-results")).to_contain_text(f"1 {TIMES} 10")
    page.get_by_role("button", name="Back to random numbers").click()
    expect(page.locator("#model-input")).to_contain_text("Random numbers")


def test_layout_keeps_boxes_apart(page: Page) -> None:
    overlaps = page.evaluate(
        """async () => {
          const { layout, BOX_HEIGHT } = await import("./layout.js");
          const vertices = Array.from({ length: 200 }, (_, i) => ({
            width: 40 + ((i * 37) % 60),
            outputs: [`${i}`],
            inputs: [i - 1, i - 2 - ((i * 13) % 7), (i * i) % (i + 1)].filter((j) => j < i).map(String),
          }));
          const { places, width, height } = layout(vertices, 1.5);
          const inside = ({ x, y }, i) =>
            x >= vertices[i].width / 2 && x <= width - vertices[i].width / 2 && y > 0 && y < height;
          const apart = (i, j) =>
            Math.abs(places[i].y - places[j].y) > BOX_HEIGHT ||
            Math.abs(places[i].x - places[j].x) >= (vertices[i].width + vertices[j].width) / 2;
          return places.filter((place, i) =>
            !inside(place, i) || places.some((_, j) => i !== j && !apart(i, j))).length;
        }"""
    )
    assert overlaps == 0


def test_narrow_page_does_not_scroll_sideways(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
