"""A server that speaks the protocol of S3, on loopback and in memory, with a bucket."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.server import ThreadedMotoServer

__all__ = ["S3Server", "s3_server", "server_that_refuses"]

_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=id/20300101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0"
)


@dataclass(frozen=True, slots=True)
class S3Server:
    url: str
    bucket: str = "artifacts-of-tests"

    @property
    def variables(self) -> dict[str, str]:
        """What an agent is given in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "an id",
            "AWS_SECRET_ACCESS_KEY": "a secret",
        }

    def media_type(self, key: str) -> str | None:
        """With which an object is given to whoever asks for it."""
        with urllib.request.urlopen(self._request("GET", f"/{key}"), timeout=60) as answer:
            told: str | None = answer.headers["Content-Type"]
            return told

    def asked(self, method: str, path: str = "") -> bytes:
        with urllib.request.urlopen(self._request(method, path), timeout=60) as answer:
            content: bytes = answer.read()
            return content

    def _request(self, method: str, path: str) -> urllib.request.Request:
        """Signed by somebody: this server checks that there is a signature, and not which."""
        return urllib.request.Request(
            f"{self.url}/{self.bucket}{path}", method=method, headers={"Authorization": _SIGNED}
        )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = S3Server(f"http://{host}:{port}")
        found.asked("PUT")
        yield found
    finally:
        server.stop()


@contextmanager
def server_that_refuses(code: str, message: str, *, status: int = 403) -> Iterator[str]:
    """The URL of one that refuses every PUT and GET, as S3 does with wrong credentials: moto checks none."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    ).encode()

    class Refusing(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests say what happened."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
