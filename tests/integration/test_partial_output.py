"""What handlers emit reaches who follows their tasks: in order, unthinned, and what is missing is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from consumers import RetryLater, Task
from consumers.agent_timings import AgentTimings, Backoff
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.bootstrap import running
from coordinator.partial_output.output_items import (
    OutputChunk,
    OutputEnded,
    OutputItem,
    OutputMissing,
    OutputStarted,
)
from coordinator.partial_output.output_subscriptions import OutputSubscription, PartialOutput
from coordinator.protocol.ids import new_id
from coordinator.protocol.topology import OUTPUT
from coordinator.settings import Settings
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import SECRET, Service, serving
from tests.support.waiting import eventually

QUICK = AgentTimings(output_backoff=Backoff(timedelta(seconds=0.1), timedelta(seconds=0.5)))


async def until_the_end(items: OutputSubscription) -> list[OutputItem]:
    """All that is told up to the end of a run."""
    found: list[OutputItem] = []
    async with asyncio.timeout(60):
        async for item in items:
            found.append(item)
            if isinstance(item, OutputEnded):
                break
    return found


def chunks(items: Sequence[OutputItem]) -> list[object]:
    return [one.chunk for one in items if isinstance(one, OutputChunk)]


def output_of(service: Service) -> PartialOutput:
    return service.coordinator.output


@pytest.mark.parametrize("plain", [False, True], ids=["coroutine", "thread"])
async def test_each_chunk_that_a_handler_emits_is_told_in_order(
    broker: Broker, tmp_path: Path, plain: bool
) -> None:
    said: list[object] = [*(f"word {number}" for number in range(300)), {"a": [1, None]}, ""]
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        async def speak(task: Task) -> str:
            for chunk in said:
                await task.emit(chunk)
            return "done"

        def speak_in_a_thread(task: Task) -> str:
            for chunk in said:
                task.emit(chunk)
            return "done"

        agent.default(speak_in_a_thread if plain else speak)
        async with agent.running():
            task_id = new_id()
            with output_of(service).subscribe(task_id) as items:
                await service.submit(task_id=task_id)
                told = await until_the_end(items)
            task = await service.ends(task_id)
            timeline = (await service.http.get(f"/tasks/{task_id}/events")).json()["events"]
    run = told[0].run
    assert told[0] == OutputStarted(run=run)
    assert (run.attempt, run.generation, run.agent_id) == (1, 1, "ada")
    assert chunks(told) == said
    assert [one.number for one in told if isinstance(one, OutputChunk)] == [*range(1, 303)]
    assert told[-1] == OutputEnded(run=run, last=302)
    assert task["result"] == "done"
    assert [one["type"] for one in timeline] == ["task.submitted", "task.started", "task.completed"]


async def test_of_a_hundred_tasks_that_say_fifty_chunks_a_second_each_is_told_whole(
    broker: Broker, tmp_path: Path
) -> None:
    said = [f"word {number}" for number in range(100)]
    async with serving(broker, tmp_path) as service, AsyncExitStack() as stack:
        agent = service.agent(slots=100)

        @agent.default
        async def speak(task: Task) -> None:
            for chunk in said:
                await task.emit(chunk)
                await asyncio.sleep(1 / 50)

        async with agent.running():
            ids = [new_id() for _ in range(100)]
            subscribed = [stack.enter_context(output_of(service).subscribe(one)) for one in ids]
            await asyncio.gather(*(service.submit(task_id=one) for one in ids))
            for told in await asyncio.gather(*(until_the_end(items) for items in subscribed)):
                assert chunks(told) == said
                assert not [one for one in told if isinstance(one, OutputMissing)]


async def test_the_stream_of_a_task_tells_all_that_was_said_before_its_end(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> str:
            for number in range(50):
                await task.emit(f"{number} ")
                await asyncio.sleep(0)
            return "done"

        async with agent.running():
            task_id = await service.submit()
            answer = await service.http.get(f"/tasks/{task_id}/stream")
    frames = [one.splitlines() for one in answer.text.split("\n\n") if "data: " in one]
    told = [
        (lines[-2].removeprefix("event: "), json.loads(lines[-1].removeprefix("data: ")))
        for lines in ([line for line in one if not line.startswith("id: ")] for one in frames)
    ]
    said = [chunk for name, data in told if name == "output.chunks" for chunk in data["chunks"]]
    assert "".join(said) == "".join(f"{number} " for number in range(50))
    names = [name for name, _ in told]
    assert names[-1] == "stream.end"
    assert names.index("output.started") < names.index("output.chunks")
    assert names.index("output.ended") < names.index("stream.end")


async def test_who_comes_late_is_told_the_end_of_what_was_said(
    broker: Broker, tmp_path: Path
) -> None:
    said, go_on = asyncio.Event(), asyncio.Event()
    async with serving(broker, tmp_path, output_tail_bytes=1024) as service:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            for number in range(1000):
                await task.emit(number)
            said.set()
            await go_on.wait()
            await task.emit("more")

        async with agent.running():
            task_id = await service.submit()
            await said.wait()

            def all_heard() -> bool:
                tail = output_of(service).tails.of(task_id)
                return tail is not None and tail.last == 1000

            await eventually(all_heard)
            with output_of(service).subscribe(task_id) as items:
                early = items.at_hand()
                go_on.set()
                late = await until_the_end(items)
    missing = early[1]
    assert isinstance(missing, OutputMissing)
    assert missing.first == 1
    assert missing.last is not None
    assert missing.last > 500
    told = chunks([*early, *late])
    assert told == [*range(missing.last, 1000), "more"]


async def test_another_attempt_begins_a_new_sequence_and_says_so(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> str:
            await task.emit(f"attempt {task.attempt}")
            if task.attempt == 1:
                raise RetryLater("once more", after=0)
            return "done"

        async with agent.running():
            task_id = new_id()
            with output_of(service).subscribe(task_id) as items:
                await service.submit(task_id=task_id)
                first, second = await until_the_end(items), await until_the_end(items)
    for attempt, told in ((1, first), (2, second)):
        run = told[0].run
        assert run.attempt == attempt
        assert told == [
            OutputStarted(run=run),
            OutputChunk(run=run, number=1, encoded=b'"attempt %d"' % attempt),
            OutputEnded(run=run, last=1),
        ]


async def test_every_coordinator_process_that_answers_tells_it(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        serving(broker, tmp_path) as service,
        running(Settings(amqp_url=broker.url, data_dir=tmp_path, secret=SECRET)) as other,
    ):
        await other.ready()
        await eventually(lambda: other.output.heard_since)
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            await task.emit("hello")

        async with agent.running():
            task_id = new_id()
            with (
                output_of(service).subscribe(task_id) as here,
                other.output.subscribe(task_id) as there,
            ):
                await service.submit(task_id=task_id)
                assert chunks(await until_the_end(here)) == ["hello"]
                assert chunks(await until_the_end(there)) == ["hello"]


CUT = ["coordinator", "agent ada events", "agent ada"]


@pytest.mark.parametrize("cut", CUT)
async def test_what_a_lost_connection_costs_is_told_to_the_chunk(
    broker: Broker, tmp_path: Path, cut: str
) -> None:
    stop = asyncio.Event()
    async with serving(broker, tmp_path) as service:
        agent = service.agent()
        agent.configure(timings=QUICK)

        @agent.default
        async def speak(task: Task) -> int:
            number = 0
            while not stop.is_set():
                number += 1
                await task.emit(number)
                await asyncio.sleep(0.002)
            return number

        async with agent.running():
            task_id = new_id()
            with output_of(service).subscribe(task_id) as items:
                await service.submit(task_id=task_id)
                told = [await anext(items) for _ in range(10)]

                async def is_cut() -> int:
                    names = [one for one in await broker.connections() if _meant(one, cut)]
                    with suppress(Exception):  # it may be gone by itself
                        return sum([await broker.close_connections(one) for one in names])
                    return 0

                reading = asyncio.create_task(until_the_end(items))
                await eventually(is_cut)
                emitted = last_of(service, task_id)
                await eventually(lambda: last_of(service, task_id) > emitted + 50)
                stop.set()
                told += await reading
            result = (await service.ends(task_id))["result"]
    doubts = [one for one in told if isinstance(one, OutputMissing) and one.last is None]
    assert len(doubts) == (1 if cut == "coordinator" else 0)
    expected = 1
    for one in told:
        if isinstance(one, OutputChunk):
            assert one.chunk == one.number == expected
            expected += 1
        elif isinstance(one, OutputMissing):
            assert one.first == expected
            expected = expected if one.last is None else one.last + 1
    assert expected == result + 1
    if cut != "coordinator":
        assert not [one for one in told if isinstance(one, OutputMissing)]
    assert len([one for one in told if isinstance(one, OutputStarted)]) == 1


def _meant(name: str, cut: str) -> bool:
    return name == cut or (cut == "coordinator" and name.endswith(" read"))


def last_of(service: Service, task_id: str) -> int:
    tail = output_of(service).tails.of(task_id)
    return 0 if tail is None else tail.last


async def test_a_handler_that_emits_more_than_is_taken_goes_on_and_what_was_dropped_is_told(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The exchange is missing, as where the coordinators are of before."""
    timings = AgentTimings(
        output_patience=timedelta(seconds=0.05),
        output_backoff=Backoff(timedelta(seconds=0.1), timedelta(seconds=0.2)),
    )
    emitted, go_on = asyncio.Event(), threading.Event()
    async with serving(broker, tmp_path) as service:
        agent = service.agent()
        agent.configure(timings=timings)
        loop = asyncio.get_running_loop()

        @agent.default
        def speak(task: Task) -> str:
            for _ in range(600):
                task.emit("x" * 60_000)
            loop.call_soon_threadsafe(emitted.set)
            go_on.wait(60)
            task.emit("last")
            return "done"

        async with agent.running():
            await broker.management.delete("exchanges", broker.vhost, OUTPUT)
            task_id = new_id()
            with output_of(service).subscribe(task_id) as items:
                await service.submit(task_id=task_id)
                await emitted.wait()
                assert "partial output waits for the broker" in caplog.messages
                # A coordinator that connects anew declares it.
                await broker.close_connections(await name_of_reading(broker))
                await eventually(lambda: last_of(service, task_id))
                go_on.set()
                told = await until_the_end(items)
            assert (await service.ends(task_id))["result"] == "done"
    assert chunks(told)[-1] == "last"
    [ended] = [one for one in told if isinstance(one, OutputEnded)]
    assert ended.last == 601
    missing = [one for one in told if isinstance(one, OutputMissing) and one.last is not None]
    count = sum((one.last or 0) - one.first + 1 for one in missing)
    assert count + len(chunks(told)) == 601
    assert count > 400
    [line] = [one for one in caplog.records if one.message.startswith("partial output was dropped")]
    assert line.__dict__["task_id"] == task_id


async def name_of_reading(broker: Broker) -> str:
    async def named() -> str | None:
        names = [one for one in await broker.connections() if one.endswith(" read")]
        return names[0] if names else None

    return await eventually(named)


async def test_an_agent_with_the_least_rights_emits_and_one_that_lacks_them_does_its_tasks(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grant = AgentGrant(agent_id=f"ada-{new_id()[-12:]}")
    before = {**grant.permissions, "write": r"^coordinator\.events$"}
    async with account_of(broker, grant) as [url], serving(broker, tmp_path) as service:
        agent = service.agent(grant.agent_id)
        agent.configure(amqp_url=url, timings=QUICK)

        @agent.default
        async def speak(task: Task) -> str:
            await task.emit("hello")
            return "done"

        for permissions in (before, dict(grant.permissions)):
            await broker.management.put("permissions", broker.vhost, grant.user, body=permissions)
            async with agent.running() as at_work:
                await at_work.registered()
                task_id = new_id()
                with output_of(service).subscribe(task_id) as items:
                    await service.submit(task_id=task_id)
                    assert (await service.ends(task_id))["result"] == "done"
                    if permissions is not before:
                        assert chunks(await until_the_end(items)) == ["hello"]
    missing = [one for one in caplog.messages if "lacks the permission to write" in one]
    assert len(missing) == 1
    assert OUTPUT in missing[0]
