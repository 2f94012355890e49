"""A server that speaks the protocol of S3, on loopback and in memory, with a bucket."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from moto.server import ThreadedMotoServer

__all__ = ["S3Server", "s3_server"]


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
        """Unsigned: this server checks no signatures."""
        return urllib.request.Request(f"{self.url}/{self.bucket}{path}", method=method)


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
