"""`coordinator top` on a terminal: its keys, and terminals that are narrow, dumb, or none."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from rich.console import Console

from coordinator.api_commands.commands.top_screen import Look, drawn
from coordinator.client import Agent, Health, QueueStats, TaskSummary
from coordinator.client.exchange.answer_reading import read_as

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SIZES = dict.fromkeys(("urgent", "critical", "high", "normal", "low"), 0)
AGENT = {"agent_id": "ada", "agent_type": "worker", "status": "busy", "slots": 4, "free_slots": 1}
ANSWERS: dict[str, Any] = {
    "/health": {"service": "agent-coordinator", "status": "healthy", "version": "1"},
    "/tasks/queues/stats": {"queue_sizes": SIZES},
    "/agents": {"agents": [AGENT], "total": 1},
    "/tasks": {"tasks": []},
    "/tasks/dead": {"tasks": [], "groups": [], "total": 0},
}


class Service:
    """Answers looks. While it is `held`, no answer leaves; `asked` says that one is waited for."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.url = ""

    def hold(self) -> None:
        self.free.clear()
        self.asked.clear()

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        service = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.asked.set()
                service.free.wait(60)
                body = json.dumps(ANSWERS[self.path.partition("?")[0]]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing is printed."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield
            finally:
                self.free.set()
                server.shutdown()
                thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    with found.serving():
        yield found


class Terminal:
    """`coordinator top` on a terminal of its own."""

    def __init__(self, service: Service, **environment: str) -> None:
        self.keyboard, inside = pty.openpty()
        self.command = subprocess.Popen(
            [sys.executable, "-m", "coordinator", "top", "--url", service.url, "--interval", "60"],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "40", "LINES": "24", **environment},
        )
        os.close(inside)

    def shows(self, text: bytes) -> None:
        """Reads until it does."""
        seen = b""
        while text not in seen:
            seen += os.read(self.keyboard, 65536)

    def presses(self, keys: bytes) -> None:
        os.write(self.keyboard, keys)

    def rest(self) -> bytes:
        """All that it writes until it has ended."""
        seen = b""
        with contextlib.suppress(OSError):  # Linux tells so that nobody has it open any more
            while piece := os.read(self.keyboard, 65536):
                seen += piece
        return seen

    def close(self) -> None:
        if self.command.poll() is None:
            self.command.kill()
        self.command.wait()
        os.close(self.keyboard)


@contextlib.contextmanager
def top(service: Service, **environment: str) -> Iterator[Terminal]:
    with contextlib.closing(Terminal(service, **environment)) as terminal:
        yield terminal


@pytest.mark.parametrize("keys", [b"q", b"Q", b"xq", b"\x1b[Aq"])
def test_a_key_that_is_pressed_while_an_answer_is_waited_for_ends_it(
    service: Service, keys: bytes
) -> None:
    service.hold()
    with top(service) as terminal:
        assert service.asked.wait(60)
        terminal.presses(keys)
        service.free.set()
        terminal.rest()
        assert terminal.command.wait(60) == 0


@pytest.mark.parametrize("keys", [b"q", b"xq"])
def test_a_key_that_is_pressed_while_it_waits_for_the_next_look_ends_it(
    service: Service, keys: bytes
) -> None:
    with top(service) as terminal:
        terminal.shows(b"no running tasks")
        terminal.presses(keys)
        terminal.rest()
        assert terminal.command.wait(60) == 0


def test_a_terminal_that_cannot_be_drawn_on_is_told_once(service: Service) -> None:
    with top(service, TERM="dumb") as terminal:
        told = terminal.rest()
        assert terminal.command.wait(60) == 0
    assert b"no running tasks" in told
    assert b"\x1b" not in told


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_in_a_narrow_terminal_each_line_fits_and_the_ids_stay(width: int) -> None:
    look = Look(
        url="https://coordinator.of-a-company-with-a-long-name.example.org:9001",
        health=read_as(Health, ANSWERS["/health"] | {"problems": ["Something is wrong " * 9]}),
        stats=read_as(QueueStats, {"queue_sizes": SIZES}),
        agents=[
            read_as(Agent, AGENT | {"agent_id": "an-agent-by-name"}),
            read_as(Agent, AGENT | {"capabilities": ["words"] * 30}),
        ],
        running=[read_as(TaskSummary, {"task_id": "t" * 36, "state": "running"})],
        dead=0,
        at=NOW,
    )
    screen = io.StringIO()
    console = Console(file=screen, width=width, height=24, force_terminal=True, color_system=None)
    console.print(drawn(look, console))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "busy" in text
    assert "an-agent" in text
    assert ("3/4" in text) == (width >= 40)
