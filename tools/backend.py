"""ONNX's backend tests in Chromium, by operator and provider.

./build.sh backend   writes docs/backend-tests.md
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import onnx

from tests.browser.backend import Verdict, verdicts
from tests.browser.python import MOUNTS, launched
from tests.support.onnx_backend import BROWSER_FAILURES, KINDS
from tools import serve, site
from tools.markdown import table
from tools.run import ROOT, attempt, say

TARGET = ROOT / "docs/backend-tests.md"

INTRODUCTION = f"""# ONNX's backend tests

The tests of operators and models that come with onnx {onnx.__version__} (`onnx.backend.test`), in Pyodide in Chromium.
`./build.sh backend` writes this page, and `./build.sh test` fails when it isn't true any more.

*Both providers* is the default: what XNNPACK doesn't take runs on the CPU provider. *XNNPACK alone* refuses that
(`session.disable_cpu_ep_fallback`): a model runs whole on the XNNPACK provider, or its session isn't made. No result is wrong
in either: a test that doesn't pass alone was refused, but for the failures listed.
"""


def main() -> None:
    with serve.serving(site.TARGET, mounts=MOUNTS) as address, launched() as browser:
        found = verdicts(browser, address, KINDS)
    for verdict in wrong(found):
        say(f"{verdict.case.name}: {verdict.with_cpu or verdict.alone}")
    TARGET.write_text(page(found))
    say(summary(found))
    say(f"{TARGET.relative_to(ROOT)} written")


def wrong(found: Iterable[Verdict]) -> list[Verdict]:
    """What failed in a way that isn't listed."""
    return [
        verdict
        for verdict in found
        if (verdict.with_cpu or (verdict.alone and not verdict.refused))
        and verdict.case.name not in BROWSER_FAILURES
    ]


def page(found: Sequence[Verdict]) -> str:
    """The text of the document."""
    return "\n".join([INTRODUCTION, summary(found), operators(found), failures(found), ""])


def summary(found: Sequence[Verdict]) -> str:
    """How many tests of each kind pass."""
    rows = []
    for kind in KINDS:
        group = [verdict for verdict in found if verdict.case.kind == kind]
        rows.append((kind, *counts(group)))
    header = ("kind", "tests", "pass on both providers", "pass on XNNPACK alone")
    return table(header, rows, words=len(header))


def operators(found: Iterable[Verdict]) -> str:
    """Node tests by operator, with the reasons of refusals."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in found:
        if verdict.case.operator:
            groups[verdict.case.operator].append(verdict)
    rows = []
    for operator, group in sorted(groups.items()):
        reasons = Counter(told(verdict.alone) for verdict in group if verdict.refused)
        text = "; ".join(f"{count}: {reason}" for reason, count in sorted(reasons.items()))
        rows.append((operator, *counts(group), text))
    header = ("operator", "tests", "both providers", "XNNPACK alone", "refused alone, and why")
    return "## Node tests by operator\n\n" + table(header, rows, words=len(header))


def failures(found: Iterable[Verdict]) -> str:
    failed = sorted(verdict.case.name for verdict in found if verdict.with_cpu)
    lines = [f"- `{name}`: {BROWSER_FAILURES.get(name, 'not known yet')}." for name in failed]
    return "\n".join(["## Failures", "", *lines])


def counts(group: Sequence[Verdict]) -> tuple[str, str, str]:
    """Tests, those that pass on both providers, and those that pass on XNNPACK alone."""
    return (
        str(len(group)),
        str(sum(not verdict.with_cpu for verdict in group)),
        str(sum(not verdict.alone for verdict in group)),
    )


def told(refusal: str) -> str:
    """A node's reason, without the names of the node and of its values."""
    reason = refusal.removeprefix("refused: ").partition(": ")[2]
    return re.sub(r" '[^']*'", "", reason).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(attempt(main))
