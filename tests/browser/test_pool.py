"""The worker pool in Chromium: every parallel call does each item once, whatever becomes of the workers.

The pages here have no Python: they load the engine's loader, with ``build/tests/pool.wasm`` (from
``tests/pool``) in place of the engine, on the page's main thread or in a dedicated worker.
"""

from __future__ import annotations

import functools
import http.server
import json
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page

from tools import javascript, sources, wasm

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
NO_BLOB = {**ISOLATED, "Content-Security-Policy": "worker-src 'self'"}
HEADERS = {"isolated": ISOLATED, "plain": {}, "no-blob": NO_BLOB}

KINDS = {"html": "text/html", "js": "text/javascript", "wasm": "application/wasm"}

PAGE = """<!doctype html><link rel="icon" href="data:,"><script>
const answers = new Map();
let host;
async function inWorker(code) {
  if (!host) {
    host = new Worker("host.js");
    host.onmessage = ({ data }) => answers.get(data.id)(data);
  }
  const id = answers.size;
  const answer = await new Promise((resolve) => {
    answers.set(id, resolve);
    host.postMessage({ id, code });
  });
  if ("error" in answer) throw new Error(answer.error);
  return answer.value;
}
</script>"""

# The worker in which a page runs code.
HOST = """
onmessage = async ({ data: { id, code } }) => {
  try {
    postMessage({ id, value: await (0, eval)(`(async () => {${code}})()`) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
};
"""

# Makes `engine`, notes its workers and its warnings, and defines `work`.
START = """
const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const text = async (name) => (await fetch(name)).text();
const options = {
  binaries: {
    "relaxed-threads": await bytes("pool.wasm"),
    "relaxed-single": await bytes("pyxnn-relaxed-single.wasm"),
    "simd-threads": await bytes("pyxnn-simd-threads.wasm"),
    "simd-single": await bytes("pyxnn-simd-single.wasm"),
  },
  workerSource: await text("worker.js"),
  warn: (message) => warnings.push(message),
  maxThreads: 2,
  ...OPTIONS,
};
const { createEngine } = (0, eval)(await text("loader.js"));
globalThis.warnings = [];
globalThis.workers = [];
globalThis.Worker = class extends Worker {
  constructor(...args) {
    super(...args);
    workers.push(this);
  }
  terminate() {
    this.ended = true;
    super.terminate();
  }
};
Object.assign(globalThis, { WELL: 0, TRAP: 1, HANG: 2, CALLER_TRAPS: 3 });
globalThis.work = ({ items = 64, each = 0.05, threads = 2, spin = 1, behaviour = WELL }) => {
  const { test_work, test_work_threads } = engine.exports;
  const start = performance.now();
  const wrong = test_work(items, each, threads, spin, behaviour);
  return { wrong, threads: test_work_threads(), seconds: (performance.now() - start) / 1000 };
};
globalThis.pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
globalThis.engine = createEngine(options);
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves each of the ``files`` as /isolated/<name>, /plain/<name> and so on: see HEADERS."""

    def __init__(self, files: dict[str, bytes], *args: Any) -> None:
        self.files = files
        super().__init__(*args)

    def do_GET(self) -> None:
        _, folder, name = self.path.split("/")
        self.send_response(200 if name in self.files else 404)
        self.send_header("Content-Type", KINDS[name.rpartition(".")[2]])
        for header, value in HEADERS[folder].items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(self.files.get(name, b""))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a server of the page, the scripts, the test program and the engine."""
    scripts = javascript.build()
    files = {
        "page.html": PAGE.encode(),
        "host.js": HOST.encode(),
        "loader.js": (scripts / "loader.js").read_bytes(),
        "worker.js": (scripts / "worker.js").read_bytes(),
        "pool.wasm": wasm.pool_test().read_bytes(),
        **{path.name: path.read_bytes() for path in wasm.build()},
    }
    handler = functools.partial(Handler, files)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


class Host:
    """A place to run code in: a page's main thread, or a dedicated worker."""

    def __init__(self, page: Page, address: str, kind: str) -> None:
        self.page = page
        self.address = address
        self.kind = kind

    def start(
        self, folder: str = "isolated", first: str = "", then: str = "", **options: Any
    ) -> Any:
        """Runs the code ``first``, makes the engine with ``options``, and gives the value of ``then``.

        The workers can't come up before ``then`` has been run.
        """
        self.page.goto(f"{self.address}/{folder}/page.html")
        return self.run(first + START.replace("OPTIONS", json.dumps(options)) + then)

    def run(self, code: str) -> Any:
        """The value that ``code``, the body of an async function, returns."""
        if self.kind == "worker":
            return self.page.evaluate("code => inWorker(code)", code)
        return self.page.evaluate(f"async () => {{{code}}}")

    def work(self, settings: str = "") -> dict[str, Any]:
        """The outcome of a parallel call."""
        return self.run(f"return work({{{settings}}})")

    def works_with(self, threads: int, settings: str = "") -> None:
        """Checks that parallel calls go well, and come to be done by these ``threads`` (bits) and no others.

        On a busy machine a thread may miss a call.
        """
        for _ in range(100):
            result = self.work(settings)
            assert result["wrong"] == 0
            assert result["threads"] & ~threads == 0
            if result["threads"] == threads:
                return
        raise AssertionError(f"threads {threads:b} never took part")

    def ready(self) -> int:
        return self.run("return engine.ready")

    def threads_ready(self) -> int:
        return self.run("return engine.threadsReady()")

    def warnings(self) -> list[str]:
        return self.run("return warnings")


@pytest.fixture(params=["main", "worker"])
def host(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Host]:
    context = browser.new_context()
    yield Host(context.new_page(), address, request.param)
    context.close()


BOTH = 0b11
CALLER = 0b1


def shapes(dims: int, tiled: int, rng: random.Random) -> Iterator[list[int]]:
    """Ranges, and then tiles, from nothing to large."""
    for size in (1, 2, 3):
        yield [size] * dims + [1] * tiled
    yield [0] + [1] * (dims - 1) + [2] * tiled
    yield [65537] + [1] * (dims - 1) + [1] * tiled
    yield [1] * (dims - 1) + [200_003] + [7] * tiled
    for _ in range(12):
        left = 4000
        ranges = []
        for _ in range(dims):
            ranges.append(rng.randint(1, min(left, rng.choice([3, 17, 1000]))))
            left //= ranges[-1]
        rng.shuffle(ranges)
        yield ranges + [rng.choice([1, 2, 3, 5, 8, 64, 5000]) for _ in range(tiled)]


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("spin", [1, 0])
def test_each_index_once(host: Host, threads: int, spin: int) -> None:
    host.start(maxThreads=4)
    assert host.ready() == 4
    entries = host.run("""
        const { test_num_entries, test_entry_name, test_entry_dims, test_entry_tiled } = engine.exports;
        return Array.from({ length: test_num_entries() }, (_, i) =>
            [engine.text(test_entry_name(i)), test_entry_dims(i), test_entry_tiled(i)]);
    """)
    assert len(entries) == 22
    rng = random.Random(threads)
    cases = [
        [index, name, shape]
        for index, (name, dims, tiled) in enumerate(entries)
        for shape in shapes(dims, tiled, rng)
    ]
    failures = host.run(f"""
        const {{ test_shape, test_entry }} = engine.exports;
        const shape = new Uint32Array(engine.memory.buffer, test_shape(), 12);
        return {json.dumps(cases)}.filter(([index, _, values]) => {{
            shape.set(values);
            return test_entry(index, {threads}, {spin}) !== 0;
        }});
    """)
    assert failures == []


def test_entry_points_are_those_of_xnnpack() -> None:
    called: set[str] = set()
    for path in (sources.debian_source("xnnpack") / "src").rglob("*.c"):
        called.update(re.findall(r"\bpthreadpool_parallelize_(\w+)\(", path.read_text()))
    program = (Path(__file__).parents[1] / "pool/pool_test.c").read_text()
    assert called <= set(re.findall(r"ROW\((\w+),", program))


def test_run_before_the_workers_are_up(host: Host) -> None:
    early = host.start(then="return work({})")
    assert (early["wrong"], early["threads"]) == (0, CALLER)
    assert host.ready() == 2
    host.works_with(BOTH)
    assert host.warnings() == []


def test_no_more_threads_than_asked_for(host: Host) -> None:
    host.start(maxThreads=4)
    host.ready()
    host.works_with(CALLER, "threads: 1")
    host.works_with(BOTH, "threads: 2")
    host.works_with(0b1111, "threads: 99")


def test_no_spinning(host: Host) -> None:
    host.start()
    host.ready()
    host.works_with(BOTH, "spin: 0")
    host.works_with(BOTH, "spin: 0, items: 2, each: 20")


@pytest.mark.parametrize("each", [0.01, 5])
def test_worker_terminated(host: Host, each: float) -> None:
    """Runs go on while a browser ends a worker, between two of them or in the middle of one."""
    host.start(maxThreads=3)
    assert host.ready() == 3
    results = host.run(f"""
        const results = [];
        const end = performance.now() + 3500;
        workers[0].terminate();
        while (performance.now() < end) {{
            results.push(work({{ threads: 3, items: 30, each: {each} }}));
            await pause(1);
        }}
        return results;
    """)
    # A run may fail, if the worker died with an item in hand, but only one.
    assert [result["wrong"] for result in results if result["wrong"] not in (0, -1)] == []
    assert len([result for result in results if result["wrong"] == -1]) <= 1
    assert results[-1]["wrong"] == 0
    assert results[-1]["threads"] & 0b10 == 0
    assert max(result["seconds"] for result in results) < 15


def test_worker_traps(host: Host) -> None:
    host.start(maxThreads=3)
    host.ready()
    result = host.work("behaviour: TRAP, threads: 2")
    assert result["wrong"] == -1
    assert result["seconds"] < 2
    assert host.threads_ready() == 2
    host.works_with(0b101, "threads: 3")
    host.run("await pause(100)")
    [warning] = host.warnings()
    assert "fewer threads" in warning and "unreachable" in warning


def test_worker_never_answers(host: Host) -> None:
    """As when the browser kills a worker that holds an item: the caller gives it up."""
    host.start(maxThreads=3)
    host.ready()
    result = host.work("behaviour: HANG, threads: 2")
    assert result["wrong"] == -1
    assert 4 < result["seconds"] < 15
    assert host.run("return workers.map((worker) => worker.ended === true)") == [True, False]
    host.works_with(0b101, "threads: 3")
    [warning] = host.warnings()
    assert "stopped answering" in warning


def test_caller_traps(host: Host) -> None:
    host.start()
    host.ready()
    with pytest.raises(Error, match="unreachable"):
        host.work("behaviour: CALLER_TRAPS, each: 20")
    host.works_with(BOTH)


def test_trapped_calls_give_their_stack_back(host: Host) -> None:
    host.start()
    host.ready()
    left = host.run("""
        const { emscripten_stack_get_current } = engine.exports;
        const before = emscripten_stack_get_current();
        for (let i = 0; i < 10; i++) {
            try { work({ items: 1, behaviour: CALLER_TRAPS }); } catch { engine.recover(); }
        }
        return before - emscripten_stack_get_current();
    """)
    assert left == 0


def test_policy_without_blob(host: Host) -> None:
    early = host.start("no-blob", maxThreads=3, then="return work({})")
    assert early["wrong"] == 0
    assert host.ready() == 1
    host.works_with(CALLER)
    [warning] = host.warnings()
    assert "Content-Security-Policy" in warning and "asset_url" in warning
    # The workers may come from the page's own origin.
    assert host.run("return engine.retry('./')") == 3
    host.works_with(BOTH)


def test_workers_from_an_address(host: Host) -> None:
    host.start("no-blob", assetUrl=".")
    assert host.ready() == 2
    host.works_with(BOTH)
    assert host.warnings() == []


def test_wrong_address(host: Host) -> None:
    host.start(assetUrl="missing/")
    assert host.ready() == 1
    host.works_with(CALLER)
    [warning] = host.warnings()
    assert "missing/worker.js" in warning


def test_worker_script_fails(host: Host) -> None:
    host.start(workerSource="throw new Error('not today')")
    assert host.ready() == 1
    host.works_with(CALLER)
    [warning] = host.warnings()
    assert "not today" in warning


def test_page_not_isolated(host: Host) -> None:
    host.start("plain")
    assert host.run("return [engine.binary, engine.maxThreads]") == ["relaxed-single", 1]
    assert host.ready() == 1
    [warning] = host.warnings()
    assert "one thread" in warning
    assert all(header in warning for header in ISOLATED)


# Of the modules that features.js tries, the longer one needs relaxed SIMD.
NO_RELAXED_SIMD = """
const validate = WebAssembly.validate;
WebAssembly.validate = (bytes) => bytes.length < 30 && validate(bytes);
"""


@pytest.mark.parametrize(
    ("folder", "first", "binary"),
    [
        ("isolated", "", "relaxed-threads"),
        ("isolated", NO_RELAXED_SIMD, "simd-threads"),
        ("plain", "", "relaxed-single"),
        ("plain", NO_RELAXED_SIMD, "simd-single"),
    ],
)
def test_binary_by_features(host: Host, folder: str, first: str, binary: str) -> None:
    host.start(folder, first=first)
    assert host.run("return engine.binary") == binary
    assert host.ready() == (2 if folder == "isolated" else 1)


def test_no_simd(host: Host) -> None:
    with pytest.raises(Error, match="needs WebAssembly SIMD"):
        host.start(first="WebAssembly.validate = () => false;")


def test_browser_grants_less_memory(host: Host) -> None:
    host.start(
        first="""
        const { Memory } = WebAssembly;
        WebAssembly.Memory = function (limits) {
            if (limits.maximum > 16384) throw new RangeError("no");
            return new Memory(limits);
        };
        """
    )
    assert host.ready() == 2
    host.works_with(BOTH)


def test_one_thread_asked_for(host: Host) -> None:
    host.start("plain", maxThreads=1)
    assert host.ready() == 1
    assert host.warnings() == []


def test_dispose(host: Host) -> None:
    host.start()
    host.ready()
    host.run("engine.dispose()")
    host.works_with(CALLER)
    assert host.warnings() == []
