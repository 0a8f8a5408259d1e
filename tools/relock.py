"""Makes third_party.lock anew: PyPI's from pyproject.toml's dependency groups, the rest from the lists here.

What changed is for the developer to read in the diff, and to trust or not.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from pathlib import Path

from tools import debian, environment, npm, pypi
from tools.cache import file_digest
from tools.lock import PATH, Entry, normalise
from tools.run import ROOT, run, say

# name: (version, whether it is a source package)
DEBIAN = {
    "libfp16-dev": ("0.0~git20200514.4dfe081-5", False),
    "libfxdiv-dev": ("0.0~git20200417.b408327-4", False),
    "pthreadpool": ("0.0~git20240616.560c60d-1", True),
    "xnnpack": ("0.0~git20241108.4ea82e5-2", True),
}
NPM = {
    "@esbuild/linux-arm64": "0.28.2",
    "@esbuild/linux-x64": "0.28.2",
    "@litertjs/core": "2.5.3",
    "@litertjs/wasm-utils": "2.5.3",
    "@tensorflow/tfjs-backend-wasm": "4.22.0",
    "@tensorflow/tfjs-core": "4.22.0",
    "onnxruntime-web": "1.30.0",
    "prettier": "3.10.1",
    "pyodide": "314.0.7",
    "typescript": "6.0.3",
}

# The files of PyPI packages that a build may want: for this machine's kinds of Python and for Pyodide, and sdists.
USEFUL = re.compile(
    r"-(py3|py2\.py3|(cp31[1-4]|cp3\d+-abi3|py3-none).*"
    r"(manylinux[\w.]*_(x86_64|aarch64)|pyemscripten_\w+_wasm32))"
    r"[\w.-]*\.whl$|-none-any\.whl$|\.tar\.gz$"
)


def relock() -> None:
    """Writes the lock file."""
    content = {"debian": _debian(), "npm": _npm(), "pypi": _pypi()}
    PATH.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    say(f"   {PATH.name} written")


def _debian() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name, (version, source) in DEBIAN.items():
        say(f"   {name} {version}")
        with tempfile.TemporaryDirectory() as folder:
            debian.fetch(name, version, Path(folder), source=source)
            entries[name] = {"version": version, "files": _hashes(Path(folder))}
    return entries


def _npm() -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name, version in NPM.items():
        say(f"   {name} {version}")
        with tempfile.TemporaryDirectory() as folder:
            npm.fetch(name, version, Path(folder))
            entries[name] = {"version": version, "files": _hashes(Path(folder))}
    return entries


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(folder.iterdir())}


def _pypi() -> dict[str, Entry]:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    # One version of each package: the site's bind the developer's, and those of each group the next ones'.
    members = {"site": dict(map(split_pin, groups.pop("site")))}
    versions = dict(members["site"])
    for group, pins in groups.items():
        members[group] = resolve(pins, versions)
        versions |= members[group]
    entries: dict[str, Entry] = {}
    for name, version in versions.items():
        say(f"   {name} {version}")
        needed_by = sorted(group for group, names in members.items() if name in names)
        entries[name] = {
            "version": version,
            "groups": needed_by,
            "files": {
                file_name: sha256
                for file_name, (_, sha256) in sorted(pypi.files(name, version).items())
                if is_useful(file_name, needed_by)
            },
        }
    return entries


def split_pin(pin: str) -> tuple[str, str]:
    """The normalised name and the version of "name==version"."""
    name, version = pin.split("==")
    return normalise(name), version


def is_useful(file_name: str, groups: list[str]) -> bool:
    """Whether a build may install the file: sdists are for the site alone."""
    return bool(USEFUL.search(file_name)) and (
        "site" in groups or not file_name.endswith(".tar.gz")
    )


def resolve(pins: list[str], constraints: dict[str, str]) -> dict[str, str]:
    """The versions of all packages that pip would install for ``pins`` under ``constraints``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limits = "".join(f"{key}=={value}\n" for key, value in constraints.items())
        (folder / "constraints.txt").write_text(limits)
        report_file = folder / "report.json"
        pip = ["-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        pip += ["--only-binary=:all:", "--report", str(report_file)]
        run([environment.bare(), *pip, "-c", folder / "constraints.txt", *pins], log="relock")
        report = json.loads(report_file.read_text())
    found = (item["metadata"] for item in report["install"])
    return {normalise(package["name"]): package["version"] for package in found}
