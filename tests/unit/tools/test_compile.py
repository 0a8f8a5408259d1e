"""Which files are compiled, and that each is compiled once."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from tools import compiler, xnnpack
from tools.emscripten import Emscripten
from tools.run import BuildError

CMAKE = """
# A comment
SET(PROD_SCALAR_MICROKERNEL_SRCS
  src/a/one.c
  src/b/two.c)

SET(NON_PROD_SCALAR_MICROKERNEL_SRCS
  src/a/three.c)
SET(PROD_EMPTY)
"""


class FakeCompiler:
    """Writes an object for every source, except for those called ``bad``."""

    def __init__(self) -> None:
        self.compiled: list[str] = []

    def run(self, argv: Sequence[str | Path], *, log: str, cwd: Path) -> None:
        for path in map(Path, argv[argv.index("-c") + 1 :]):
            if path.stem == "bad":
                raise BuildError("bad.c")
            (cwd / f"{path.stem}.o").write_text("object")
            self.compiled.append(path.name)

    def __call__(self, objects: dict[Path, Path]) -> None:
        compiler.compile_missing(cast(Emscripten, self), objects, ["-O3"], "test")


def test_cmake_list() -> None:
    files = xnnpack.cmake_list(CMAKE, "PROD_SCALAR_MICROKERNEL_SRCS")
    assert files == ["src/a/one.c", "src/b/two.c"]
    assert xnnpack.cmake_list(CMAKE, "PROD_EMPTY") == []
    with pytest.raises(ValueError, match="NO_SUCH_LIST"):
        xnnpack.cmake_list(CMAKE, "NO_SUCH_LIST")


def test_source_files_leave_out_the_subgraph_api(tmp_path: Path) -> None:
    for name in ("src/init.c", "src/subgraph.c", "src/operators/copy.c", "src/reference/pack.cc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "cmake/gen").mkdir(parents=True)
    (tmp_path / "cmake/gen/scalar_microkernels.cmake").write_text(CMAKE)
    variant = xnnpack.Variant("test", (), ("scalar",))
    assert xnnpack.source_files(tmp_path, variant) == [
        "src/a/one.c",
        "src/b/two.c",
        "src/init.c",
        "src/operators/copy.c",
        "src/reference/pack.cc",
    ]


def test_batches_are_of_one_language_with_different_names() -> None:
    files = [Path(f"a/{n}.c") for n in range(30)] + [Path("b/3.c"), Path("x.cc"), Path("b/4.c")]
    found = list(compiler.batches(files))
    assert sorted(path for batch in found for path in batch) == sorted(files)
    for batch in found:
        assert len(batch) <= compiler.BATCH
        assert len({path.stem for path in batch}) == len(batch)
        assert len({path.suffix for path in batch}) == 1


def test_only_missing_objects_are_compiled(tmp_path: Path) -> None:
    objects = {tmp_path / f"out/{n}.o": Path(f"{n}.c") for n in range(20)}
    fake = FakeCompiler()
    fake(objects)
    assert len(fake.compiled) == 20
    next(iter(objects)).unlink()
    fake(objects)
    assert fake.compiled[20:] == ["0.c"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in objects
    )


def test_after_a_failure_the_rest_is_kept(tmp_path: Path) -> None:
    objects = {tmp_path / f"out/{n}.o": Path(f"{n}.c") for n in range(compiler.BATCH)}
    objects[tmp_path / "out/bad.o"] = Path("bad.c")
    with pytest.raises(BuildError):
        FakeCompiler()(objects)
    assert not (tmp_path / "out/bad.o").exists()
    assert not list((tmp_path / "out").glob(".batch.*"))
    del objects[tmp_path / "out/bad.o"]
    fake = FakeCompiler()
    fake(objects)
    assert len(fake.compiled) < compiler.BATCH or not fake.compiled
