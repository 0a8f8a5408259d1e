"""What a user reads when the build goes well, and when it doesn't."""

import sys
from pathlib import Path

import pytest

from tools import __main__ as main
from tools import run
from tools.run import BuildError, Progress


def test_output_goes_to_the_log() -> None:
    run.run(["echo", "hello"], log="test")
    assert "$ echo hello\nhello\n" in (run.LOGS / "test.log").read_text()


def test_failure_names_command_log_and_advice() -> None:
    script = "echo working; echo it broke >&2; exit 3"
    with pytest.raises(BuildError) as caught:
        run.run(["sh", "-c", script], log="test", advice="mend it")
    text = str(caught.value)
    assert "exit code 3" in text
    assert "it broke" in text
    assert str(run.LOGS / "test.log") in text
    assert text.endswith("what to do: mend it")


def test_missing_command_is_a_build_error() -> None:
    with pytest.raises(BuildError, match="no-such-command"):
        run.run(["no-such-command"], log="test")
    with pytest.raises(BuildError, match="no-such-command"):
        run.output(["no-such-command"])


def test_long_commands_are_cut_in_the_message(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("broken\n")
    assert len(run.failure("x" * 10_000, 1, log, "").splitlines()[0]) < 400


def test_progress_tells_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("files", 100)
    for _ in range(100):
        progress.step()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("   files: 100/100")


def test_without_a_verb_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([]) == 0
    listed = capsys.readouterr().out
    for verb in ("setup", "wasm", "wheels", "site", "demo", "test", "bench", "lint", "clean"):
        assert f"  {verb} " in listed
    assert main.main(["nonsense"]) == 2


def test_failed_verb_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: list[str]) -> None:
        run.run([sys.executable, "-c", "raise SystemExit('no luck')"], log="test")

    monkeypatch.setitem(main.VERBS, "wasm", main.Verb("", fail))
    assert main.main(["wasm"]) == 1
    assert "no luck" in capsys.readouterr().err


def test_interrupt_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(main.VERBS, "wasm", main.Verb("", interrupt))
    assert main.main(["wasm"]) == 130
    assert "same command" in capsys.readouterr().err
