"""Compiles many C and C++ files with Emscripten: on all cores, several in a call, each only once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tools.emscripten import Emscripten
from tools.run import Progress, cpus

LANGUAGES = {
    ".c": ("emcc", "-std=gnu11"),
    ".cc": ("em++", "-std=c++17", "-fno-exceptions", "-fno-rtti"),
}

# How many files one call of the compiler takes: its start costs about as much as a small file.
BATCH = 12


def compile_missing(
    compiler: Emscripten, objects: Mapping[Path, Path], flags: Sequence[str], what: str
) -> None:
    """Compiles the source of each object file (``objects`` maps object to source) that doesn't exist yet."""
    missing = {source: target for target, source in objects.items() if not target.exists()}
    if not missing:
        return
    progress = Progress(what, len(objects))
    progress.step(len(objects) - len(missing))
    with ThreadPoolExecutor(cpus()) as pool:
        jobs = {
            pool.submit(_compile, compiler, {path: missing[path] for path in batch}, flags): batch
            for batch in batches(missing)
        }
        try:
            for job in as_completed(jobs):
                job.result()
                progress.step(len(jobs[job]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _compile(compiler: Emscripten, targets: Mapping[Path, Path], flags: Sequence[str]) -> None:
    """Compiles sources of one language in one call; each object takes its place when it is complete."""
    folder = next(iter(targets.values())).parent
    language = LANGUAGES[next(iter(targets)).suffix]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".batch.", dir=folder) as name:
        compiler.run([*language, *flags, "-c", *targets], log="compile", cwd=Path(name))
        for source, target in targets.items():
            (Path(name) / f"{source.stem}.o").rename(target)


def batches(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Groups of files of one language, of which no two would give objects of the same name."""
    groups: dict[str, list[Path]] = {}
    for path in files:
        group = groups.setdefault(path.suffix, [])
        if len(group) == BATCH or path.stem in {other.stem for other in group}:
            yield groups.pop(path.suffix)
            group = groups.setdefault(path.suffix, [])
        group.append(path)
    yield from groups.values()
