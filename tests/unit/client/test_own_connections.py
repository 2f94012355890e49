"""Whose the connections of a client are: each process and each event loop has its own."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coordinator.client import AsyncClient, Client, NotReached, Retries

TASK = b'{"task": {"task_id": "t", "state": "queued"}}'

FORKED = """
import os, sys
from coordinator.client import Client

with Client(sys.argv[1]) as client:
    client.task("parent")
    if child := os.fork():
        os.waitpid(child, 0)
        client.task("parent")
    else:
        client.task("child")
"""


SEVERAL_LOOPS = """
import asyncio, sys
from coordinator.client import AsyncClient

client = AsyncClient(sys.argv[1])

async def ask():
    assert (await client.task("t")).state == "queued"

async def ask_and_close():
    await ask()
    await client.close()

asyncio.run(ask())
asyncio.run(ask())
asyncio.run(ask_and_close())
"""


class Server(ThreadingHTTPServer):
    """Keeps connections, and which asked for which path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.client_address[1]))
        self.send_response(200)
        if self.path == "/tasks/endless":
            self.end_headers()
            with suppress(ConnectionError):
                while True:
                    self.wfile.write(b" ")
        self.send_header("Content-Length", str(len(TASK)))
        self.end_headers()
        self.wfile.write(TASK)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_a_process_that_was_forked_reads_no_answers_of_its_parent(server: Server) -> None:
    subprocess.run([sys.executable, "-c", FORKED, server.url], check=True)
    (first, ours), (second, theirs), (third, ours_still) = server.asked
    assert (first, second, third) == ("/tasks/parent", "/tasks/child", "/tasks/parent")
    assert ours == ours_still
    assert theirs != ours


def test_one_client_may_be_used_in_several_event_loops(server: Server) -> None:
    subprocess.run([sys.executable, "-c", SEVERAL_LOOPS, server.url], check=True)
    first, second, third = (port for _, port in server.asked)
    assert len({first, second, third}) == 3


def test_an_answer_that_goes_on_for_ever_is_lost_when_the_time_for_the_call_is_over(
    server: Server,
) -> None:
    retries = Retries(total_seconds=1)
    with (
        Client(server.url, retries=retries) as client,
        pytest.raises(NotReached),
    ):
        client.task("endless")

    async def ask() -> None:
        async with AsyncClient(server.url, retries=retries) as client:
            await client.task("endless")

    with pytest.raises(NotReached):
        asyncio.run(ask())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_a_handle_says_what_to_hand_on_in_its_place(kind: type, copied: object) -> None:
    handle = kind("http://127.0.0.1:1").handle("t")
    assert callable(copied)
    with pytest.raises(TypeError, match="hand on the task_id"):
        copied(handle)
