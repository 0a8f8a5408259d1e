"""PyPI's files, read from the index that pip is set up with."""

from __future__ import annotations

import functools
import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tools import environment
from tools.lock import normalise
from tools.run import BuildError, output

DEFAULT_INDEX = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
JSON_INDEX = "application/vnd.pypi.simple.v1+json"


def files(name: str, version: str) -> dict[str, tuple[str, str]]:
    """The files of a release: file name -> (its address, its SHA-256)."""
    with _open(f"{_index()}/{normalise(name)}/", JSON_INDEX) as answer:
        entries: list[dict[str, Any]] = json.load(answer)["files"]
    return {
        entry["filename"]: (entry["url"], entry["hashes"]["sha256"])
        for entry in entries
        if file_version(entry["filename"]) == version
    }


def file_version(file_name: str) -> str:
    """The version that the name of a wheel or an sdist tells."""
    stem = re.sub(r"\.(tar\.gz|zip)$", "", file_name)
    return file_name.split("-")[1] if file_name.endswith(".whl") else stem.rpartition("-")[2]


def fetch(name: str, version: str, file_name: str, target: Path) -> None:
    """Downloads one file of a release into the folder ``target``."""
    found = files(name, version)
    if file_name not in found:
        raise BuildError(f"the package index has no {file_name}")
    with _open(found[file_name][0]) as answer, (target / file_name).open("wb") as file:
        shutil.copyfileobj(answer, file)


def _open(address: str, accept: str = "*/*") -> Any:
    request = urllib.request.Request(address, headers={"Accept": accept})
    try:
        return urllib.request.urlopen(request, context=_tls(), timeout=180)
    except urllib.error.URLError as error:
        raise BuildError(
            f"the package index can't be read: {error}\n"
            "what to do: check the network and pip's index-url, then run the same command again"
        ) from None


@functools.cache
def _settings() -> dict[str, str]:
    """pip's configuration: environment, user, and global, the first of them that sets a name."""
    lines = output([environment.bare(), "-m", "pip", "config", "list"]).splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    found: dict[str, str] = {}
    for source in ("global.", "install.", ":env:."):
        for key, value in pairs.items():
            if key.startswith(source):
                found[key.removeprefix(source)] = value.strip("'\"")
    return found


@functools.cache
def _index() -> str:
    address = _settings().get("index-url") or output([environment.bare(), "-c", DEFAULT_INDEX])
    return address.strip().rstrip("/")


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=_settings().get("cert"))
