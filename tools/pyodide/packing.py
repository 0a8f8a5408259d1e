"""Packs a folder tree as a wheel."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path

# The same tree gives the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(tree: Path, metadata: str, tag: str, target: Path) -> Path:
    """Writes the wheel of ``tree``, which is laid out as in site-packages, into the folder ``target``.

    ``metadata`` is the text of METADATA (a source distribution's PKG-INFO serves); ``tag`` is python-abi-platform.
    """
    name, version = (header(metadata, field) for field in ("Name", "Version"))
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    files = {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    info = f"{stem}.dist-info"
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: pyxnn\nRoot-Is-Purelib: false\nTag: {tag}\n"
    ).encode()
    record = [f"{path},sha256={url_digest(data)},{len(data)}\n" for path, data in files.items()]
    files[f"{info}/RECORD"] = f"{''.join(record)}{info}/RECORD,,\n".encode()

    wheel = target / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return wheel


def header(metadata: str, field: str) -> str:
    """The value of a header field of METADATA."""
    found = re.search(rf"^{field}:\s*(\S+)", metadata, re.MULTILINE)
    if not found:
        raise ValueError(f"no {field} in METADATA")
    return found[1]


def url_digest(data: bytes) -> str:
    """The hash as RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
