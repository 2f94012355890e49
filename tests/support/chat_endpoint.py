"""A small server that speaks the OpenAI chat protocol, for tests."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

__all__ = ["ANSWER", "Dictation", "Seen", "dictated_endpoint", "dripping", "endpoint"]

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

    with _serving(Handler) as url:
        yield url, seen


class Dictation:
    """A completion that is streamed as the test dictates it: each word is sent when it is said."""

    def __init__(self) -> None:
        self._words: queue.Queue[str | None] = queue.Queue()
        self.asked: list[dict[str, Any]] = []
        self.hung_up = threading.Event()
        """Whether the client was gone before the end."""

    def say(self, word: str) -> None:
        self._words.put(word)

    def end(self) -> None:
        self._words.put(None)

    def pieces(self) -> Iterator[str]:
        """The data of each event."""
        said = 0
        while (word := self._words.get()) is not None:
            said += 1
            yield json.dumps({"model": "small-1", "choices": [{"delta": {"content": word}}]})
        stop = {"delta": {}, "finish_reason": "stop"}
        yield json.dumps({"choices": [stop], "usage": {"total_tokens": said}, "error": None})
        yield "[DONE]"


@contextmanager
def dictated_endpoint() -> Iterator[tuple[str, Dictation]]:
    """A server that streams one completion, chunk by chunk of HTTP/1.1."""
    dictation = Dictation()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            dictation.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for piece in dictation.pieces():
                    event = f": here\n\ndata: {piece}\n\n".encode()
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
                self.wfile.write(b"0\r\n\r\n")
            except ConnectionError:
                dictation.hung_up.set()
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with _serving(Handler) as url:
        try:
            yield url, dictation
        finally:
            dictation.end()  # for one that waits for a word


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
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
