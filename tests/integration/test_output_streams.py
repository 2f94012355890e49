"""Partial output over `GET /tasks/{task_id}/stream`, from a handler's emission to a subscriber's socket."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiormq
import pytest
from pamqp.commands import Basic
from websockets.asyncio.client import connect

from consumers import RetryLater, Task
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.bootstrap import running
from coordinator.bootstrap.replacements import Duty
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.task_output import OUTPUT_TYPE, output_key
from coordinator.protocol.topology import OUTPUT
from coordinator.settings import Settings
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.output_streams import Told, on_a_socket, read_to_the_end, read_until
from tests.support.server_sent_events import streaming
from tests.support.serving import SECRET, Service, serving
from tests.support.waiting import eventually


def heard(service: Service, task_id: str, last: int) -> bool:
    """Whether this process has all chunks up to that number."""
    tail = service.coordinator.output.tails.of(task_id)
    return tail is not None and tail.last >= last


async def test_each_chunk_reaches_who_follows_in_order_with_its_number_and_attempt(
    broker: Broker, tmp_path: Path
) -> None:
    said = [
        "one ",
        "two\nlines",
        "ü\u2028",
        "",
        {"tool": "search", "arguments": [1, None]},
        5,
        None,
    ]
    said += [f"word {number}" for number in range(200)]
    followed = asyncio.Event()
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> str:
            await followed.wait()
            for number, chunk in enumerate(said):
                await task.emit(chunk)
                if number % 50 == 0:
                    await asyncio.sleep(0.02)
            return "done"

        async with agent.running():
            task_id = await service.submit()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_until(stream, Told(), ["task.started"])
                followed.set()
                await read_to_the_end(stream, told)
    assert told.numbered == [(1, number, chunk) for number, chunk in enumerate(said, 1)]
    assert told.names[:2] == ["task.submitted", "task.started"]
    assert told.names[2] == "output.started"
    assert told.names.index("output.ended") < told.names.index("stream.end")
    assert told.of("output.ended", "last", "attempt", "agent_id") == [(len(said), 1, "ada")]
    assert {data["task_id"] for _, data in told.output} == {task_id}
    assert len({data["run"] for _, data in told.output}) == 1
    assert [one.id for one in told.frames if (one.event or "").startswith("output.")] == [None] * (
        len(told.output)
    )
    assert told.end["task"]["result"] == "done"


async def test_a_websocket_tells_the_output_of_a_task_and_of_all_as_its_stream_does(
    broker: Broker, tmp_path: Path
) -> None:
    followed = asyncio.Event()
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            await followed.wait()
            for number in range(300):
                await task.emit({"n": number, "text": "ü\u2028"})
                if number % 40 == 0:
                    await asyncio.sleep(0.01)

        async with agent.running(), AsyncExitStack() as stack:
            task_id = await service.submit()
            wishes: list[dict[str, Any]] = [{}, {"filter": {"task_id": [task_id]}}]
            sockets = []
            for wish in wishes:
                address = url.replace("http://", "ws://") + "/ws"
                socket = await stack.enter_async_context(connect(address, proxy=None))
                subscribe = {"type": "subscribe", "payload": {"topic": "output", **wish}}
                await socket.send(json.dumps(subscribe))
                sockets.append(socket)
            await eventually(lambda: service.coordinator.output.subscribers == len(sockets))
            followed.set()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_to_the_end(stream)
            for socket in sockets:
                messages: list[dict[str, Any]] = []
                while not messages or messages[-1]["type"] != "output.ended":
                    messages.append(json.loads(await socket.recv()))
                kinds = [one["type"] for one in messages[:3]]
                assert kinds == [
                    "connection_established",
                    "subscription_confirmed",
                    "output.started",
                ]
                numbered = [
                    (one["attempt"], number, chunk)
                    for one in messages
                    if one["type"] == "output.chunks"
                    for number, chunk in enumerate(one["chunks"], one["first"])
                ]
                assert numbered == told.numbered
                assert len(numbered) == 300


async def test_who_comes_late_sees_the_kept_end_of_what_was_said_and_which_numbers_are_not_kept(
    broker: Broker, tmp_path: Path
) -> None:
    go_on = asyncio.Event()
    async with (
        serving(broker, tmp_path, output_tail_bytes=1024) as service,
        on_a_socket(service.coordinator) as url,
    ):
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            for number in range(1, 501):
                await task.emit(number)
            await go_on.wait()
            await task.emit("more")

        async with agent.running():
            task_id = await service.submit()
            await eventually(lambda: heard(service, task_id, 500))
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_until(stream, Told(), ["output.chunks"])
                go_on.set()
                await read_to_the_end(stream, told)
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                after_the_end = await read_to_the_end(stream)
    [(first, last)] = told.of("output.missing", "first", "last")
    assert first == 1
    assert told.numbered == [
        *((1, number, number) for number in range(last + 1, 501)),
        (1, 501, "more"),
    ]
    assert sum(len(str(chunk)) for chunk in told.chunks) > 900
    assert after_the_end.chunks == told.chunks[-len(after_the_end.chunks) :]
    assert after_the_end.numbered[-1] == (1, 501, "more")


async def test_another_attempt_is_a_new_sequence_on_the_same_stream(
    broker: Broker, tmp_path: Path
) -> None:
    followed = asyncio.Event()
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> str:
            await followed.wait()
            for word in ("a", "b", "c")[: 2 * task.attempt - 1]:
                await task.emit(word)
            if task.attempt == 1:
                raise RetryLater("once more", after=0)
            return "done"

        async with agent.running():
            task_id = await service.submit()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_until(stream, Told(), ["task.started"])
                followed.set()
                await read_to_the_end(stream, told)
    assert told.of("output.started", "attempt") == [(1,), (2,)]
    assert told.numbered == [(1, 1, "a"), (2, 1, "a"), (2, 2, "b"), (2, 3, "c")]
    assert told.of("output.ended", "attempt", "last") == [(1, 1), (2, 3)]
    [first], [second] = told.of("output.started", "run")
    assert first != second


async def test_each_coordinator_tells_the_same(broker: Broker, tmp_path: Path) -> None:
    followed = asyncio.Event()
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, secret=SECRET)
    async with (
        serving(broker, tmp_path) as service,
        running(settings, duty=Duty.SERVING) as other,
        on_a_socket(service.coordinator) as here,
        on_a_socket(other) as there,
    ):
        await other.ready()
        await eventually(lambda: other.output.heard_since)
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            await followed.wait()
            for number in range(100):
                await task.emit(f"{number} ")

        async with agent.running():
            task_id = await service.submit()
            await service.becomes(task_id, "running")
            path = f"/tasks/{task_id}/stream"
            async with streaming(here, path) as one, streaming(there, path) as another:
                found = [await read_until(one, Told(), ["task.started"])]
                found.append(await read_until(another, Told(), ["task.started"]))
                followed.set()
                await read_to_the_end(one, found[0])
                await read_to_the_end(another, found[1])
    for told in found:
        assert told.numbered == [(1, number + 1, f"{number} ") for number in range(100)]
    assert found[0].of("output.started", "run") == found[1].of("output.started", "run")


async def test_a_task_that_is_cancelled_tells_the_end_of_what_it_said(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            try:
                while True:
                    await task.emit("on and on ")
                    await asyncio.sleep(0.005)
            finally:
                await task.emit("cut short")

        async with agent.running():
            task_id = await service.submit()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_until(stream, Told(), ["output.chunks"])
                await service.post(f"/tasks/{task_id}/cancel")
                await read_to_the_end(stream, told)
    assert told.end["task"]["state"] == "cancelled"
    assert told.numbered == [(1, number, chunk) for number, chunk in enumerate(told.chunks, 1)]
    assert told.chunks[-1] == "cut short"
    assert told.of("output.ended", "last") == [(len(told.chunks),)]


async def test_threads_of_a_handler_emit_at_the_same_time_and_after_its_end_nobody_hears_them(
    broker: Broker, tmp_path: Path
) -> None:
    over = threading.Event()
    late: list[threading.Thread] = []
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        def speak(task: Task) -> str:
            def say(name: str) -> None:
                for number in range(200):
                    task.emit([name, number])

            def go_on() -> None:
                over.wait(60)
                for _ in range(100):
                    task.emit("nobody listens")

            threads = [threading.Thread(target=say, args=(name,)) for name in "abcdefgh"]
            late.append(threading.Thread(target=go_on))
            for thread in (*threads, *late):
                thread.start()
            for thread in threads:
                thread.join()
            return "done"

        async with agent.running():
            task_id = await service.submit()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_to_the_end(stream)
            over.set()
            await asyncio.to_thread(late[0].join)
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                again = await read_to_the_end(stream)
    assert [number for _, number, _ in told.numbered] == [*range(1, 1601)]
    for name in "abcdefgh":
        assert [chunk[1] for chunk in told.chunks if chunk[0] == name] == [*range(200)]
    assert again.numbered == told.numbered
    assert again.of("output.ended", "last") == [(1600,)]


async def test_what_is_no_chunk_fails_the_handler_that_emits_it_and_nothing_else(
    broker: Broker, tmp_path: Path
) -> None:
    garbage: list[Any] = [b"bytes", {1: 2}, {1}, float("nan"), "\ud800", object(), "x" * 70_000]
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        async def speak(task: Task) -> None:
            refused = 0
            for chunk in garbage:
                await task.emit("good")
                try:
                    await task.emit(chunk)
                except ValueError:
                    refused += 1
            await task.emit(refused)
            await task.emit(garbage[0])

        async with agent.running():
            task_id = await service.submit(max_attempts=1)
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                told = await read_to_the_end(stream)
    count = len(garbage)
    assert told.chunks == ["good"] * count + [count]
    assert told.of("output.ended", "last") == [(count + 1,)]
    task = told.end["task"]
    assert (task["state"], task["error"]["type"]) == ("dead", "ValueError")
    assert "emit a text or plain JSON" in task["error"]["message"]


async def test_chunks_as_large_as_may_be_are_told_whole(broker: Broker, tmp_path: Path) -> None:
    """More of them than a subscriber may leave unread, and than is kept for who comes late."""
    followed = asyncio.Event()
    said = [chr(97 + number % 26) * (64 * 1024 - 2) for number in range(40)]
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        agent = service.agent()

        @agent.default
        def speak(task: Task) -> None:
            asyncio.run_coroutine_threadsafe(followed.wait(), loop).result(60)
            for chunk in said:
                task.emit(chunk)
                asyncio.run_coroutine_threadsafe(taken(task.id, chunk), loop).result(60)

        loop = asyncio.get_running_loop()
        told = Told()

        async def taken(task_id: str, chunk: str) -> None:
            await eventually(lambda: chunk in told.chunks[-1:])

        async with agent.running():
            task_id = await service.submit()
            async with streaming(url, f"/tasks/{task_id}/stream") as stream:
                await read_until(stream, told, ["task.started"])
                followed.set()
                await read_to_the_end(stream, told)
    assert told.chunks == said


async def test_an_agent_with_the_least_rights_is_heard_and_another_cannot_speak_for_it(
    broker: Broker, tmp_path: Path
) -> None:
    ada, eve = (AgentGrant(agent_id=f"{name}-{new_id()[-12:]}") for name in ("ada", "eve"))
    go_on, message = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        ada_url, eve_url = await stack.enter_async_context(account_of(broker, ada, eve))
        service = await stack.enter_async_context(serving(broker, tmp_path, require_identity=True))
        url = await stack.enter_async_context(on_a_socket(service.coordinator))
        agent = service.agent(ada.agent_id)
        agent.configure(amqp_url=ada_url)

        @agent.default
        async def speak(task: Task) -> None:
            await task.emit("true")
            message.set_result(task._message)
            await go_on.wait()
            await task.emit("true again")

        await stack.enter_async_context(agent.running())
        task_id = await service.submit()
        token = (await message).task_token
        hands = await aiormq.connect(eve_url)
        stack.push_async_callback(hands.close)
        forged = {"task_id": task_id, "task_token": token, "first": 2, "chunks": ["forged"]}
        stream = await stack.enter_async_context(streaming(url, f"/tasks/{task_id}/stream"))
        told = await read_until(stream, Told(), ["output.chunks"])
        for name, key, user, taken in (
            (ada.agent_id, output_key(ada.agent_id), eve.user, False),
            (ada.agent_id, output_key(ada.agent_id), ada.user, False),
            (ada.agent_id, output_key(eve.agent_id), eve.user, True),
            (ada.agent_id, output_key(eve.agent_id), None, True),
        ):
            channel = await hands.channel(publisher_confirms=True)
            sent = channel.basic_publish(
                json.dumps({"agent_id": name, "output": [forged]}).encode(),
                exchange=OUTPUT,
                routing_key=key,
                properties=Basic.Properties(message_type=OUTPUT_TYPE, user_id=user),
            )
            if taken:
                await sent
                await channel.close()
            else:
                with pytest.raises(aiormq.exceptions.ChannelClosed):
                    await sent
        go_on.set()
        await read_to_the_end(stream, told)
        assert told.chunks == ["true", "true again"]
        assert told.of("output.started", "agent_id") == [(ada.agent_id,)]
