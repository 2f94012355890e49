"""Events of tasks and agents over `GET /events`, from a real broker and the ledger, at any coordinator."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from coordinator.bootstrap import Coordinator, running
from coordinator.bootstrap.replacements import NONE, Duty, Replacements, Timings
from coordinator.registry.feed.recorded_events import RecordedEvents, RecordedPage
from coordinator.settings import Settings
from coordinator.streaming.feed_pace import FeedPace
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.server_sent_events import Frame, Stream, streaming
from tests.support.waiting import eventually


@contextlib.asynccontextmanager
async def served(
    broker: Broker,
    folder: Path,
    ledger_url: str,
    duty: Duty = Duty.ALL,
    replacements: Replacements = NONE,
) -> AsyncIterator[tuple[Coordinator, str]]:
    settings = Settings(amqp_url=broker.url, data_dir=folder, database_url=ledger_url)
    async with running(settings, replacements, duty=duty) as coordinator:
        await coordinator.ready()
        listener = bind("127.0.0.1", 0)
        async with serving(coordinator.app, listener, stopping=coordinator.stop_streams):
            yield coordinator, address(listener)


async def until_end(stream: Stream, task_id: str) -> list[Frame]:
    """The events of a task until it is completed."""
    found: list[Frame] = []
    while not found or found[-1].event != "task.completed":
        event = await stream.event()
        assert event is not None
        if event.json["subject"] == task_id:
            found.append(event)
    return found


async def test_a_task_is_seen_alike_at_each_coordinator_whoever_folds_the_log(
    broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    agent = Agent("ada", amqp_url=broker.url, cache_dir=tmp_path / "ada")

    @agent.default
    async def count(task: Task) -> int:
        return len(task.data)

    async with (
        served(broker, tmp_path, ledger_url) as (folding, one_url),
        served(broker, tmp_path, ledger_url, Duty.SERVING) as (other, other_url),
        streaming(one_url, "/events") as one,
        streaming(other_url, "/events?type=task.*") as another,
        streaming(other_url, "/events?type=agent.*&agent_id=ada") as of_agents,
    ):
        for stream in (one, another, of_agents):
            assert (await stream.frame()) is not None
        async with agent.running():
            event = await of_agents.event()
            assert event is not None
            assert (event.event, event.json["subject"]) == ("agent.registered", "ada")
            async with over(other.app) as http:
                body = {"task_data": {"n": 1}, "priority": "high"}
                answer = await http.post("/tasks/submit", json=body)
                task_id = answer.json()["task_id"]
            here, there = await until_end(one, task_id), await until_end(another, task_id)
        assert [(event.id, event.data) for event in here] == [
            (event.id, event.data) for event in there
        ]
        assert [(event.event, event.json["data"]["state"]) for event in here] == [
            ("task.submitted", "queued"),
            ("task.started", "running"),
            ("task.completed", "completed"),
        ]
        assert {event.json["data"]["priority"] for event in here} == {"high"}
        assert "task_token" not in "".join(str(event.data) for event in here)
        again = f"/events?task_id={task_id}&after=0"
        async with streaming(one_url, again) as replay:
            assert await until_end(replay, task_id) == here
        assert folding.is_ready


async def test_what_another_process_folds_is_streamed_as_soon_as_it_says_so(
    broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    """With no look of its own: the word of the process that folds is what wakes the feed."""
    rare = Replacements(timings=Timings(feed=FeedPace(looks_every=1000)))
    async with (
        served(broker, tmp_path, ledger_url),
        served(broker, tmp_path, ledger_url, Duty.SERVING, rare) as (other, url),
        streaming(url, "/events") as stream,
        over(other.app) as http,
    ):
        await stream.frame()
        seen: list[str] = []

        async def heard() -> bool:
            """Who follows is known to the one that folds by the time that it folds one of these."""
            answer = await http.post("/tasks/submit", json={"task_data": {}})
            with contextlib.suppress(TimeoutError):
                event = await stream.event(within=2)
                assert event is not None
                seen.append(event.json["subject"])
            return bool(seen) and answer.status_code == 200

        await eventually(heard)


async def test_what_the_process_itself_folds_is_streamed_without_asking_the_ledger(
    broker: Broker, ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger_url.startswith("postgresql"):
        pytest.skip("PostgreSQL alone knows the positions: they are read")
    asked: list[int] = []
    read = RecordedEvents.after

    async def counted(events: RecordedEvents, position: int, **more: Any) -> RecordedPage:
        asked.append(position)
        return await read(events, position, **more)

    monkeypatch.setattr(RecordedEvents, "after", counted)
    rare = Replacements(timings=Timings(feed=FeedPace(looks_every=1000)))
    async with (
        served(broker, tmp_path, ledger_url, replacements=rare) as (folding, url),
        streaming(url, "/events?type=task.*") as stream,
        over(folding.app) as http,
    ):
        await stream.frame()

        async def streamed(task_data: dict[str, Any]) -> None:
            answer = await http.post("/tasks/submit", json={"task_data": task_data})
            event = await stream.event()
            assert event is not None
            assert event.json["subject"] == answer.json()["task_id"]

        await streamed({"n": 0})  # with it a look at what came before
        before = len(asked)
        for number in range(1, 4):
            await streamed({"n": number})
        assert len(asked) == before
        await streamed({"text": "x" * 50_000})  # of which a part is told: it is read
        assert len(asked) > before
