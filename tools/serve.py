"""A static file server for the site, with the headers that isolate a page so that it gets threads.

python3 -m tools.serve [--port PORT] [--no-isolation] [FOLDER]
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tools.run import BUILD, say

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
TYPES = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
    ".onnx": "application/octet-stream",
    ".npz": "application/octet-stream",
}


class Server(ThreadingHTTPServer):
    """Serves a folder on this machine only; ``mounts`` adds folders under a path, such as {"/tests/": folder}."""

    daemon_threads = True

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        isolated: bool = True,
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        self.places = {**(mounts or {}), "/": folder}
        self.headers = ISOLATION if isolated else {}
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        """The address of the folder, with a slash at its end; localhost counts as a secure origin."""
        return f"http://localhost:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a browser that leaves early is no error of ours."""


class Handler(SimpleHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | TYPES

    def translate_path(self, path: str) -> str:
        """The file for a request's path; never one outside the served folders."""
        wanted = unquote(urlsplit(path).path)
        prefix = next(prefix for prefix in self.server.places if wanted.startswith(prefix))
        self.directory = str(self.server.places[prefix])
        return super().translate_path("/" + path.removeprefix(prefix))

    def end_headers(self) -> None:
        """Adds the isolation, and has the browser ask again whether a file has changed."""
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: requests aren't news."""


@contextmanager
def serving(
    folder: Path, *, isolated: bool = True, mounts: Mapping[str, Path] | None = None
) -> Iterator[str]:
    """Serves ``folder`` in the background; gives its address."""
    with Server(folder, isolated=isolated, mounts=mounts) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.address
        finally:
            server.shutdown()


def forever(folder: Path, *, port: int = 8000, isolated: bool = True) -> None:
    """Serves ``folder`` until interrupted; another port is taken when ``port`` isn't free."""
    try:
        server = Server(folder, port=port, isolated=isolated)
    except OSError:
        server = Server(folder, isolated=isolated)
    with server:
        say(f"{folder} is served at {server.address} (Ctrl+C ends it)")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Serves the site with cross-origin isolation.")
    parser.add_argument("folder", nargs="?", type=Path, default=BUILD / "site")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-isolation", action="store_true", help="without COOP and COEP")
    options = parser.parse_args()
    forever(options.folder, port=options.port, isolated=not options.no_isolation)


if __name__ == "__main__":
    main()
