"""Commands that follow something, behind a reader that goes: before a service that tells nothing more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TOLD = b'id: 1\nevent: task.submitted\ndata: {"subject": "t", "data": {}}\n\n'


class Quiet(BaseHTTPRequestHandler):
    """Tells one event, and nothing more for as long as somebody follows."""

    def do_GET(self) -> None:
        if "stream" in self.path or self.path.startswith("/events"):
            self.answer("text/event-stream", TOLD)
            self.connection.recv(1)
            self.close_connection = True
        else:
            task = {"task_id": "t", "state": "running"}
            known = {"status": "healthy", "service": "agent-coordinator", "task": task}
            self.answer("application/json", json.dumps(known).encode())

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize("typed", [["events"], ["task", "t", "--follow"]], ids=" ".join)
def test_who_follows_ends_as_its_reader_goes_and_not_with_the_next_event(
    typed: list[str], url: str
) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "coordinator", *typed, "--url", url]
    with subprocess.Popen(command, stdout=writing) as follows:
        try:
            os.close(writing)
            assert b"task.submitted" in os.read(reading, 1000)
            assert follows.poll() is None
            os.close(reading)
            assert follows.wait(20) == 141
        finally:
            follows.kill()
