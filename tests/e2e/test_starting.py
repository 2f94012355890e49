"""A coordinator that starts refuses connections until it can answer, and is well from its first answer on."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from coordinator.rabbitmq_node.free_ports import choose_port
from tests.e2e.processes import Process, spawned
from tests.support.broker import Broker

LISTENING = re.compile(r"^listening on", re.MULTILINE)

AWAY = "amqp://127.0.0.1:1/"


@asynccontextmanager
async def starting(
    amqp_url: str, folder: Path, port: int, *more: str, through: tuple[str, ...] = ()
) -> AsyncIterator[Process]:
    command = [*through, sys.executable, "-m", "coordinator", "serve", "--amqp-url", amqp_url]
    command += ["--data-dir", str(folder), "--port", str(port), *more]
    async with spawned(*command, output=folder / "serve.out") as process:
        yield process


async def first_answer(port: int, process: Process) -> httpx.Response:
    """Every connection before it has to be refused at once."""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        while True:
            try:
                return await http.get(f"http://127.0.0.1:{port}/health")
            except httpx.ConnectError:
                assert not process.ended, process.printed
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("more", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_the_first_answer_is_that_it_is_well(
    broker: Broker, tmp_path: Path, more: tuple[str, ...]
) -> None:
    port = choose_port([], taken=set())
    for _ in ("a new ledger", "one that is there"):
        async with starting(broker.url, tmp_path, port, *more) as process:
            answer = await first_answer(port, process)
            assert answer.json()["status"] == "healthy", answer.text
            await process.prints(LISTENING)


@pytest.mark.parametrize(
    "more",
    [("--projector", "same"), ("--projector", "own"), ("--projector", "own", "--workers", "2")],
    ids=["same", "own", "workers"],
)
@pytest.mark.any_broker
async def test_with_its_standard_streams_closed_it_is_well_and_stops_in_order(
    broker: Broker, tmp_path: Path, more: tuple[str, ...]
) -> None:
    """As some that start programs at boot leave them; sockets and pipes had their numbers."""
    port = choose_port([], taken=set())
    closed = ("sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh")
    async with starting(broker.url, tmp_path, port, *more, through=closed) as process:
        answer = await first_answer(port, process)
        assert answer.json()["status"] == "healthy", answer.text
        process.signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_the_doctor_finds_the_log_read_at_the_first_answer(
    broker: Broker, tmp_path: Path
) -> None:
    port = choose_port([], taken=set())
    async with starting(broker.url, tmp_path, port) as process:
        await first_answer(port, process)
        command = [sys.executable, "-m", "coordinator", "doctor", "--amqp-url", broker.url]
        command += ["--data-dir", str(tmp_path)]
        async with spawned(*command, output=tmp_path / "doctor.out") as doctor:
            await doctor.wait()
    assert "No coordinator reads the log" not in doctor.printed
    assert re.search("^ok +log ", doctor.printed, re.MULTILINE), doctor.printed


async def test_where_the_broker_is_away_the_first_answer_says_so(tmp_path: Path) -> None:
    port = choose_port([], taken=set())
    async with starting(AWAY, tmp_path, port) as process:
        answer = await first_answer(port, process)
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert "cannot be reached" in answer.json()["problems"][0]


async def test_a_port_that_was_taken_while_it_started_is_one_line(tmp_path: Path) -> None:
    port = choose_port([], taken=set())
    with socket.socket() as quicker:
        quicker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        quicker.bind(("127.0.0.1", port))
        async with starting(AWAY, tmp_path, port) as process:
            await process.prints(re.compile("no connection to the broker yet"))
            quicker.listen()
            assert await process.wait() == 1
    assert process.printed.splitlines()[-1].startswith(f"coordinator: Port {port} is taken")
    assert "Traceback" not in process.printed
