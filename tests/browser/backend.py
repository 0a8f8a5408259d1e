"""ONNX's backend tests in Pyodide, in two pages at a time."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.browser.python import MODELS_FOLDER, python
from tests.support import onnx_backend, similar
from tests.support.onnx_backend import BY_CHANCE, Case

CODE = (Path(__file__).parent / "judge.py").read_text() + "\nawait judge(address)"
SIMILAR = "import pathlib\npathlib.Path('similar.py').write_text(source)"
PAGES = 2


class Verdict(NamedTuple):
    """What went wrong with a case, with the CPU provider and without; empty texts when nothing did."""

    case: Case
    with_cpu: str
    alone: str

    @property
    def refused(self) -> bool:
        """Whether it can't run without the CPU provider."""
        return self.alone.startswith("refused: ")


def verdicts(browser: Browser, address: str, kinds: Sequence[str]) -> list[Verdict]:
    """Runs all cases of some kinds, but for those that pass by chance."""
    cases = [case for kind in kinds for case in onnx_backend.cases(kind)]
    found = {name: (reason, reason) for name, reason in BY_CHANCE.items()}
    judged = [case for case in cases if case.name not in found]
    MODELS_FOLDER.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        pages = [stack.enter_context(python(browser, address, "worker")) for _ in range(PAGES)]
        for i, page in enumerate(pages):
            path = MODELS_FOLDER / f"backend_{i}.pickle"
            path.write_bytes(pickle.dumps([_content(case) for case in judged[i::PAGES]]))
            page.run(SIMILAR, source=Path(similar.__file__).read_text())
            page.start(CODE, address=f"/test-models/{path.name}")
        for page in pages:
            found |= {name: (with_cpu, alone) for name, with_cpu, alone in page.finish()}
    return [Verdict(case, *found[case.name]) for case in cases]


def _content(case: Case) -> tuple[object, ...]:
    return (case.name, case.model, case.data_sets, case.rtol, case.atol)
