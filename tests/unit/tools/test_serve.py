"""The static server."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tools import serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small site, with a file beside it that is nobody's business."""
    site = tmp_path / "site"
    site.mkdir()
    for name in ("index.html", "a.mjs", "b.wasm"):
        (site / name).write_text(name)
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted/c.js").write_text("mounted")
    (tmp_path / "secret").write_text("secret")
    return site


def get(address: str, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """The answer to a request with exactly this path."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def test_types_and_isolation(folder: Path) -> None:
    with serve.serving(folder) as address:
        for path, kind in (("/a.mjs", "text/javascript"), ("/b.wasm", "application/wasm")):
            status, headers, _ = get(address, path)
            assert (status, headers["Content-Type"]) == (200, kind)
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert get(address, "/")[2] == b"index.html"


def test_without_isolation(folder: Path) -> None:
    with serve.serving(folder, isolated=False) as address:
        _, headers, _ = get(address, "/")
        assert headers["Cross-Origin-Opener-Policy"] is None


def test_mounts(folder: Path) -> None:
    with serve.serving(folder, mounts={"/tests/": folder.parent / "mounted"}) as address:
        assert get(address, "/tests/c.js")[2] == b"mounted"
        assert get(address, "/c.js")[0] == 404
        assert get(address, "/tests/a.mjs")[0] == 404


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "//../secret", "/a/../../secret"])
def test_nothing_outside_is_served(folder: Path, path: str) -> None:
    with serve.serving(folder) as address:
        assert get(address, path)[0] == 404


def test_a_busy_port_is_not_taken(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve.Server(folder) as first:

        def stop() -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serve.Server, "serve_forever", lambda self: stop())
            serve.forever(folder, port=first.server_port)
        assert first.address not in capsys.readouterr().out
