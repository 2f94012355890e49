"""A small server that speaks the OpenAI chat protocol, for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

__all__ = ["ANSWER", "Seen", "dripping", "endpoint"]

ANSWER = {
    "model": "small-1",
    "choices": [{"message": {"content": "Forty-two."}, "finish_reason": "stop"}],
    "usage": {"total_tokens": 9},
}


class Seen:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


@contextmanager
def endpoint(
    status: int = 200, body: object = ANSWER, headers: dict[str, str] | None = None
) -> Iterator[tuple[str, Seen]]:
    """A server that gives one answer to everything."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.paths.append(self.path)
            seen.keys.append(self.headers.get("Authorization"))
            self.send_error(405)

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            seen.paths.append(self.path)
            seen.bodies.append(json.loads(self.rfile.read(size)))
            seen.keys.append(self.headers.get("Authorization"))
            sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def dripping(beginning: bytes, drop: bytes, every: float) -> Iterator[str]:
    """A server that answers with ``beginning``, and then for ever with a drop at a time, ``every`` so many
    seconds.
    """
    stopped = threading.Event()

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(OSError):  # the client has had enough
                self.request.sendall(beginning)
                while not stopped.wait(every):
                    self.request.sendall(drop)

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
