"""Partial output while agents are killed and the broker is away, over the stream of the task."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import Process, client, ready, service, spawned
from tests.support.broker import OwnBroker
from tests.support.output_streams import Told, read_to_the_end, read_until
from tests.support.server_sent_events import Stream, streaming

pytestmark = pytest.mark.slow

HELD_UP = re.compile("partial output waits for the broker")


def speaker(amqp_url: str, folder: Path, agent_id: str) -> AbstractAsyncContextManager[Process]:
    return spawned(
        *(sys.executable, "-m", "consumers", "tests.e2e.speaker:agent"),
        output=folder / f"{agent_id}.out",
        environment={
            "COORDINATOR_AMQP_URL": amqp_url,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "E2E_ID": agent_id,
        },
    )


async def submitted(http: Any, until: Path) -> str:
    data = {"task_type": "count-aloud", "until": str(until)}
    answer = await http.post("/tasks/submit", json={"task_data": data, "max_attempts": 5})
    return str(answer.json()["task_id"])


async def further(stream: Stream, told: Told, more: int) -> None:
    """Read until so many chunks more were told."""
    wanted = len(told.chunks) + more
    while len(told.chunks) < wanted:
        await read_until(stream, told, ["output.chunks"])


def check_each_run(told: Told) -> list[tuple[str, int]]:
    """Each chunk is its own number, and what is missing between two of a run was told; each run with its
    last.
    """
    runs: list[tuple[str, int]] = []
    for run, frames in groupby(told.output, key=lambda one: one[1]["run"]):
        expected = 1
        for name, data in frames:
            if name == "output.chunks":
                assert data["first"] == expected
                assert data["chunks"] == [*range(expected, expected + len(data["chunks"]))]
                expected += len(data["chunks"])
            elif name == "output.missing":
                assert data["first"] == expected
                expected = expected if data["last"] is None else data["last"] + 1
        runs.append((run, expected - 1))
    return runs


async def test_where_an_agent_is_killed_another_begins_anew_and_the_stream_says_so(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    until = tmp_path / "enough"
    async with (
        service(own_broker.url, tmp_path / "service") as (_, url),
        client(url) as http,
        speaker(own_broker.url, tmp_path, "ada") as ada,
    ):
        await ready(http)
        task_id = await submitted(http, until)
        async with streaming(url, f"/tasks/{task_id}/stream") as stream:
            told = Told()
            await further(stream, told, 20)
            ada.signal(signal.SIGKILL)
            await ada.wait()
            async with speaker(own_broker.url, tmp_path, "bob"):
                await read_until(stream, told, ["output.started"])
                await further(stream, told, 20)
                until.touch()
                await read_to_the_end(stream, told)
    task = told.end["task"]
    assert (task["state"], task["agent_id"]) == ("completed", "bob")
    [(first, _), (second, last)] = check_each_run(told)
    assert first != second
    assert last == task["result"]
    assert told.of("output.started", "agent_id") == [("ada",), ("bob",)]
    assert told.of("output.ended", "agent_id", "last") == [("bob", last)]


async def test_while_the_broker_is_away_the_stream_stays_and_goes_on_with_what_is_missing_told(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    until = tmp_path / "enough"
    async with (
        service(own_broker.url, tmp_path / "service") as (_, url),
        client(url) as http,
        speaker(own_broker.url, tmp_path, "ada") as ada,
    ):
        await ready(http)
        task_id = await submitted(http, until)
        async with streaming(url, f"/tasks/{task_id}/stream") as stream:
            told = Told()
            await further(stream, told, 20)
            await own_broker.stop()
            await ada.prints(HELD_UP)
            await own_broker.start()
            seen = told.of("output.missing", "last")
            await further(stream, told, 200)
            until.touch()
            await read_to_the_end(stream, told, within=120)
        follow = await http.get(f"/tasks/{task_id}")
    assert seen in ([], [(None,)])
    assert told.end["task"]["state"] == "completed", follow.text
    runs = check_each_run(told)
    assert runs[-1][1] == told.end["task"]["result"]
    assert told.of("output.missing", "last").count((None,)) >= 1
