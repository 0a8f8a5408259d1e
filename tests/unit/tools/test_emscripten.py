"""Which Emscripten is taken, and how a command gets into the private root."""

from pathlib import Path

import pytest

from tools import debian, emscripten
from tools.run import BuildError

NEW = "emcc (Emscripten gcc/clang-like replacement + linker emulating GNU ld) 3.1.69 ()"
OLD = "emcc (Emscripten gcc/clang-like replacement + linker emulating GNU ld) 3.1.6 ()"


@pytest.mark.parametrize(
    ("on_path", "release", "is_root", "choice"),
    [
        (NEW, None, False, "path"),
        (NEW, 12, True, "path"),
        ("emcc 5.0.3 (abc)", None, False, "path"),
        (OLD, 12, True, "root"),
        (None, 12, True, "root"),
        (None, 13, True, "package"),
        (OLD, 14, True, "package"),
    ],
)
def test_choice(on_path: str | None, release: int | None, is_root: bool, choice: str) -> None:
    assert emscripten.choose(on_path, release, is_root) == choice


@pytest.mark.parametrize(
    ("on_path", "release", "is_root"),
    [(None, 12, False), (OLD, 13, False), (None, None, True), (None, 11, True)],
)
def test_without_a_way_it_says_what_to_install(
    on_path: str | None, release: int | None, is_root: bool
) -> None:
    with pytest.raises(BuildError) as caught:
        emscripten.choose(on_path, release, is_root)
    assert "3.1.60" in str(caught.value)
    assert "apt-get install emscripten" in str(caught.value)


def test_versions_compare_by_number() -> None:
    assert emscripten.parse_version(OLD) == (3, 1, 6)
    assert emscripten.parse_version(OLD) < emscripten.OLDEST < emscripten.parse_version(NEW)
    assert emscripten.parse_version("not a version") == ()


@pytest.mark.parametrize("may_mount", [True, False])
def test_command_for_the_private_root(monkeypatch: pytest.MonkeyPatch, may_mount: bool) -> None:
    monkeypatch.setattr(emscripten, "_may_mount", lambda: may_mount)
    monkeypatch.setattr(debian, "require", lambda command, package: f"/usr/bin/{command}")
    argv = emscripten.enter(Path("/r"), ["emcc", "-c", "a b.c"], Path("/work"), {"X": "1"})
    assert argv[0] == ("unshare" if may_mount else "/usr/bin/proot")
    assert argv[-3:] == ["emcc", "-c", "a b.c"]
    assert {"--chdir=/work", "X=1"} < set(argv)
