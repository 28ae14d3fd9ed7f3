"""A hub on this machine: lists one repository and serves its files, with ranges, until it is told to fail."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """files: name -> content; large ones have a digest. `break_after` bytes the connection is cut, once.

    refuse: (status, X-Error-Code) of every answer, None for good ones; ranges: the Range headers that came.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, repo: str, files: dict[str, bytes], *, large: int = 1000) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo, self.files, self.large = repo, files, large
        self.break_after: int | None = None
        self.refuse: tuple[int, str] | None = None
        self.ignores_ranges = False
        self.ranges: list[str] = []
        self.card: dict[str, Any] = {"license": "mit"}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what is tested here."""

    def info(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for name, content in self.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
            if len(content) >= self.large:
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {"id": self.repo, "sha": REVISION, "siblings": siblings, "cardData": self.card, "gated": False, "tags": []}

    def etag(self, content: bytes) -> str:
        return (hashlib.sha256 if len(content) >= self.large else hashlib.sha1)(content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        if hub.refuse is not None:
            self._send(hub.refuse[0], b"no", {"X-Error-Code": hub.refuse[1]}, body)
        elif path == f"/api/models/{hub.repo}":
            self._send(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"}, body)
        elif (name := path.removeprefix(f"/{hub.repo}/resolve/{REVISION}/")) in hub.files:
            self._file(hub.files[name], body)
        else:
            self._send(404, b"no", {"X-Error-Code": "RepoNotFound" if "/api/" in path else "EntryNotFound"}, body)

    def _file(self, content: bytes, body: bool) -> None:
        hub, wanted = self.server, self.headers.get("Range", "")
        headers = {"ETag": f'"{hub.etag(content)}"', "X-Repo-Commit": REVISION}
        start = 0
        if body and wanted:
            hub.ranges.append(wanted)
            start = 0 if hub.ignores_ranges else int(wanted.removeprefix("bytes=").rstrip("-"))
        status = 206 if body and wanted and not hub.ignores_ranges else 200
        if body and hub.break_after is not None and len(content) >= hub.large:
            cut, hub.break_after = hub.break_after, None
            self._send(status, content[start:], headers, True, only=cut - start)
            self.close_connection = True
        else:
            self._send(status, content[start:], headers, body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool, only: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:only])


@contextmanager
def serving(repo: str, files: dict[str, bytes]) -> Iterator[FakeHub]:
    """A hub that answers while the block runs."""
    hub = FakeHub(repo, files)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
