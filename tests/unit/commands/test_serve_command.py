"""When a process begins to take requests from its socket, which it may share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import pytest

from coordinator.commands import serve_command as module
from coordinator.settings import Settings
from tests.support.waiting import eventually


class Stub:
    """A coordinator that is ready when it is told to be."""

    app = None
    page = None
    note_error = None

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.asked = False
        self.serves = False
        self.hindered = False

    async def ready_to_answer(self) -> None:
        if not self.hindered:
            await self.ready()

    async def ready(self) -> None:
        self.asked = True
        await self.told.wait()

    def leave(self) -> None:
        """Nobody chooses."""

    def stop_streams(self) -> None:
        """There are none."""

    async def failed(self) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()

    @asynccontextmanager
    async def running(*_: Any, **__: Any) -> AsyncIterator[Stub]:
        yield stub

    @asynccontextmanager
    async def serving(
        _: Any, listener: socket.socket, options: Any, **__: Any
    ) -> AsyncIterator[None]:
        stub.serves = True
        with listener:
            yield

    monkeypatch.setattr(module, "running", running)
    monkeypatch.setattr(module, "serving", serving)
    return stub


@asynccontextmanager
async def alone(**changes: Any) -> AsyncIterator[None]:
    settings = Settings(amqp_url="amqp://host/", http_port=0, **changes)
    task = asyncio.create_task(module.serve(settings, lambda _: None))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def worker(*, ready_within: float = 60) -> AsyncIterator[None]:
    with socket.socket() as listener:
        fd = listener.detach()
        task = asyncio.create_task(
            module.serve(
                Settings(),
                print,
                inherits=module.Inherited(socket_fd=fd),
                ready_within=ready_within,
            )
        )
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_a_worker_leaves_requests_to_the_others_until_it_is_ready(stub: Stub) -> None:
    async with worker():
        await eventually(lambda: stub.asked)
        assert not stub.serves
        stub.told.set()
        await eventually(lambda: stub.serves)


async def test_a_worker_that_does_not_get_ready_answers_for_itself_in_the_end(stub: Stub) -> None:
    async with worker(ready_within=0.05):
        await eventually(lambda: stub.serves)
    assert not stub.told.is_set()


async def test_a_coordinator_answers_nobody_until_it_is_ready(stub: Stub) -> None:
    async with alone():
        await eventually(lambda: stub.asked)
        assert not stub.serves
        stub.told.set()
        await eventually(lambda: stub.serves)


async def test_a_coordinator_that_cannot_get_ready_says_so_at_once(stub: Stub) -> None:
    stub.hindered = True
    async with alone():
        await eventually(lambda: stub.serves)
    assert not stub.asked


@pytest.mark.parametrize(("rate", "told"), [("10/minute", 1), (None, 0)])
async def test_a_coordinator_beside_others_says_that_it_counts_by_itself(
    stub: Stub, caplog: pytest.LogCaptureFixture, rate: str | None, told: int
) -> None:
    stub.hindered = True
    async with alone(database_url="postgresql://localhost/coordinator", rate_limit=rate):
        await eventually(lambda: stub.serves)
    assert caplog.text.count("each coordinator on this database counts by itself") == told
