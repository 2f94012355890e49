"""The topic `output` of `/ws`: whose it is, what is confirmed, what comes, and how it ends."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.access.roles import Role
from coordinator.partial_output.output_checks import CheckedOutput
from coordinator.partial_output.output_frames import OutputFrames
from coordinator.partial_output.output_items import OutputRun
from coordinator.partial_output.output_subscriptions import PartialOutput
from tests.contract.fakes import a_task
from tests.contract.test_event_streams import Side, served
from tests.contract.test_websocket import Socket, connected
from tests.support.api_keys import authenticator_with
from tests.support.server_sent_events import streaming
from tests.support.waiting import eventually


class Speaking:
    """The fakes' application, with what handlers say."""

    def __init__(self, side: Side, output: PartialOutput) -> None:
        self.side = side
        self.output = output

    def knows(self, *task_ids: str, submitted_by: str | None = None) -> None:
        for one in task_ids:
            self.side.fakes.tasks[one] = a_task(
                task_id=one, state="running", ended_at=None, submitted_by=submitted_by
            )

    def say(self, task_id: str, *chunks: Any, first: int = 1, ended: bool = False) -> None:
        run = OutputRun(generation=1, attempt=1, agent_id="ada", run="r")
        encoded = [json.dumps(chunk).encode() for chunk in chunks]
        self.output.take(
            CheckedOutput(task_id=task_id, run=run, first=first, chunks=encoded, ended=ended)
        )


@contextlib.asynccontextmanager
async def speaking(**changes: Any) -> AsyncIterator[Speaking]:
    output = PartialOutput(
        tail_bytes=64 * 1024,
        most_bytes=2**26,
        now=lambda: datetime.now(UTC),
        monotonic=lambda: 0.0,
    )
    async with served(task_items=(OutputFrames(output),), **changes) as side:
        yield Speaking(side, output)


async def heard(socket: Socket, count: int) -> list[tuple[Any, ...]]:
    told = [await socket.hear() for _ in range(count)]
    return [
        (
            one["task_id"],
            one["type"],
            *(one[name] for name in ("first", "last", "chunks") if name in one),
        )
        for one in told
    ]


async def watched(speaking_: Speaking, count: int = 1) -> None:
    await eventually(lambda: speaking_.output.subscribers == count)


async def test_the_output_of_a_task_is_confirmed_and_is_what_its_stream_tells() -> None:
    async with speaking() as speaking_:
        speaking_.knows("t", "other")
        speaking_.say("t", "Hel", {"b": ["\u2028", None]})
        async with (
            connected(speaking_.side) as socket,
            streaming(speaking_.side.url, "/tasks/t/stream") as stream,
        ):
            told = await socket.subscribe("output", filter={"task_id": ["t"]})
            assert told["payload"] == {"topic": "output"}
            messages = [await socket.hear(), await socket.hear()]
            speaking_.say("other", "not asked for")
            speaking_.say("t", "end", first=5, ended=True)
            messages += [await socket.hear() for _ in range(3)]
            assert {one.pop("topic") for one in messages} == {"output"}
            for one in messages:
                frame = await stream.event()
                assert frame is not None
                assert (one.pop("type"), one) == (frame.event, frame.json)
            assert messages[1]["chunks"] == ["Hel", {"b": ["\u2028", None]}]
            assert [one.get("first") for one in messages] == [None, 1, 3, 5, None]


async def test_the_output_of_all_tasks_is_what_they_say_from_now_on() -> None:
    async with speaking() as speaking_:
        speaking_.say("before", "x", ended=True)
        async with connected(speaking_.side) as socket:
            await socket.subscribe("output")
            await watched(speaking_)
            speaking_.say("a", "1")
            speaking_.say("b", "2", ended=True)
            assert await heard(socket, 5) == [
                ("a", "output.started"),
                ("a", "output.chunks", 1, ["1"]),
                ("b", "output.started"),
                ("b", "output.chunks", 1, ["2"]),
                ("b", "output.ended", 1),
            ]
            await socket.say("unsubscribe", topic="output")
            assert (await socket.hear())["type"] == "unsubscription_confirmed"
            assert speaking_.output.subscribers == 0
            await socket.subscribe("tasks")
            speaking_.say("a", "3", first=2)
            speaking_.side.happens(1)
            assert (await socket.hear())["type"] == "event"


async def test_more_than_may_wait_for_a_client_is_told_of_a_hundred_tasks_that_said_much() -> None:
    names = [f"t-{number:02}" for number in range(100)]
    async with speaking() as speaking_:
        speaking_.knows(*names)
        for name in names:
            speaking_.say(name, *["x" * 1000] * 60)
        async with connected(speaking_.side) as socket:
            await socket.subscribe("output", filter={"task_id": names})
            seen = 0
            while seen < 100 * 60:
                told = await socket.hear()
                seen += len(told.get("chunks", ()))
                assert told["type"] in ("output.started", "output.chunks"), told


@pytest.mark.parametrize(
    ("wish", "status", "sentence"),
    [
        ({"filter": {"task_id": ["nobody"]}}, 404, "Task not found"),
        ({"resume_from": 3}, 422, "no positions"),
        ({"filter": {"state": ["dead"]}}, 422, "filter.state: the topic output takes task_id"),
        ({"filter": {"task_id": [""]}}, 422, "filter.task_id.0"),
    ],
    ids=["unknown task", "position", "other filter", "empty id"],
)
async def test_what_output_does_not_have_is_told(
    wish: dict[str, Any], status: int, sentence: str
) -> None:
    async with speaking() as speaking_, connected(speaking_.side) as socket:
        await socket.say("subscribe", topic="output", **wish)
        told = await socket.hear()
        assert (told["type"], told["status"]) == ("error", status)
        assert sentence in told["detail"]


async def test_a_producer_is_told_what_its_own_tasks_say_and_nothing_else() -> None:
    authenticator, secrets = await authenticator_with(reader=(Role.READER,), shop=(Role.PRODUCER,))
    async with speaking(authenticator=authenticator) as speaking_:
        speaking_.knows("own", submitted_by="key:shop")
        speaking_.knows("other", submitted_by="key:other")
        async with connected(speaking_.side, f"/ws?token={secrets['shop']}") as socket:
            for wish in ({}, {"filter": {"task_id": ["own", "other"]}}):
                await socket.say("subscribe", topic="output", **wish)
                told = await socket.hear()
                assert (told["status"], "role reader" in told["detail"]) == (403, True)
            await socket.subscribe("output", filter={"task_id": ["own"]})
            speaking_.say("other", "x")
            speaking_.say("own", "y")
            assert (await heard(socket, 2))[1] == ("own", "output.chunks", 1, ["y"])
        async with connected(speaking_.side, f"/ws?token={secrets['reader']}") as socket:
            await socket.subscribe("output")


async def test_whoever_does_not_read_output_is_cut_off_and_the_end_of_the_service_is_told() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with speaking() as speaking_:
            speaking_.knows("t")
            slow = await stack.enter_async_context(connected(speaking_.side))
            quick = await stack.enter_async_context(connected(speaking_.side))
            await quick.subscribe("output", filter={"task_id": ["t"]})
            await slow.subscribe("output")
            await watched(speaking_, 2)
            for number in range(1, 301):  # more than a mebibyte beyond what the systems keep
                speaking_.say("t", "x" * 60_000, first=number)
                while (await quick.hear())["type"] != "output.chunks":
                    continue
            code, reason = await slow.closed()
            assert (code, "More has happened than was read" in reason) == (1013, True)
        while (told := await quick.hear())["type"] != "stream.end":
            continue
        assert (told["topic"], told["reason"]) == ("output", "stopping")
        assert (await quick.closed())[0] == 1001
