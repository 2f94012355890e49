"""The Python client against a service on a real broker: streams and submissions over its restart, and many at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers import Agent, Task
from coordinator.bootstrap import running
from coordinator.client import (
    ONCE,
    AsyncClient,
    Client,
    Conflict,
    NotSent,
    OutputChunks,
    OutputMissing,
    Retries,
    StreamedEvent,
    TaskDead,
    TaskEnded,
    TooManyRequests,
    Unavailable,
    WaitTimedOut,
)
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import bind
from tests.support.broker import Broker
from tests.support.ports import free_port

pytestmark = pytest.mark.any_broker


@contextlib.asynccontextmanager
async def service(
    broker: Broker, folder: Path, port: int | None = None, **settings: Any
) -> AsyncIterator[str]:
    given = Settings(amqp_url=broker.url, data_dir=folder, **settings)
    async with running(given) as coordinator:
        await coordinator.ready()
        port = port or free_port()
        async with serving(
            coordinator.app, bind("127.0.0.1", port), stopping=coordinator.stop_streams
        ):
            yield f"http://127.0.0.1:{port}"


def an_agent(broker: Broker, folder: Path, slots: int = 20) -> Agent:
    agent = Agent("ada", amqp_url=broker.url, cache_dir=folder / "ada", slots=slots)

    @agent.task("square")
    async def square(task: Task) -> int:
        return int(task.data["n"]) ** 2

    @agent.task("fails")
    async def fails(task: Task) -> None:
        raise ValueError("it is so")

    return agent


async def test_a_blocking_client_submits_waits_and_learns_why(
    broker: Broker, tmp_path: Path
) -> None:
    def use(url: str) -> None:
        with Client(url) as client:
            assert client.health().healthy
            handle = client.submit({"task_type": "square", "n": 7}, priority="urgent")
            assert handle.result(timeout=60) == 49
            assert handle.wait().agent_id == "ada"
            with pytest.raises(Conflict):
                handle.cancel()
            bad = client.submit({"task_type": "fails"}, max_attempts=1)
            with pytest.raises(TaskDead, match="it is so") as raised:
                bad.result(timeout=60)
            assert raised.value.task.error is not None
            assert raised.value.task.error.type == "ValueError"
            waits = client.submit({}, requirements={"capabilities": ["nobody-has-it"]})
            assert "nobody-has-it" in str(waits.explain().warnings)
            begun = time.monotonic()
            with pytest.raises(WaitTimedOut):
                waits.wait(timeout=0.3)
            with pytest.raises(WaitTimedOut):
                list(waits.stream(timeout=0.3))
            with pytest.raises(WaitTimedOut):
                client.wait_all([waits], timeout=0.3)
            assert time.monotonic() - begun < 10, "the heartbeat of a stream comes after 15 s"
            assert waits.cancel("no longer needed").was == "queued"
            kinds = [event.type for event in client.each_of_timeline(waits.task_id)]
            assert kinds == ["task.submitted", "task.cancelled"]

    agent = an_agent(broker, tmp_path)
    async with service(broker, tmp_path) as url, agent.running():
        await asyncio.to_thread(use, url)


async def test_many_tasks_are_submitted_in_batches_and_waited_for_over_few_connections(
    broker: Broker, tmp_path: Path
) -> None:
    agent = an_agent(broker, tmp_path)
    async with service(broker, tmp_path) as url, AsyncClient(url) as client:
        tasks = [{"task_type": "square", "n": n} for n in range(300)]
        handles = await client.submit_many(tasks, batch_size=128)
        async with agent.running():
            seen = [handle async for handle in client.as_completed(handles, timeout=120)]
            assert {id(handle) for handle in seen} == {id(handle) for handle in handles}
            ended = await client.wait_all(handles)
        assert [task.result for task in ended] == [n**2 for n in range(300)]
        transport: Any = client._driver._of_this_loop()._transport
        assert len(transport._pool.connections) <= 3


async def test_a_stream_comes_back_and_a_submission_is_one_task_over_a_restart_of_the_service(
    broker: Broker, tmp_path: Path
) -> None:
    agent = an_agent(broker, tmp_path)
    goes_on = asyncio.Event()

    @agent.task("tells")
    async def tells(task: Task) -> int:
        await task.emit("before ")
        await goes_on.wait()
        await task.emit("after")
        return 1

    port = free_port()
    async with agent.running(), AsyncClient(f"http://127.0.0.1:{port}") as client:
        async with service(broker, tmp_path, port):
            handle = await client.submit({"task_type": "tells"})
            stream = handle.stream(timeout=120)
            told = []
            async for item in stream:
                told.append(item)
                if isinstance(item, OutputChunks):
                    break
            rest = asyncio.ensure_future(collected(stream))
        during = asyncio.ensure_future(client.submit({"task_type": "square", "n": 3}))
        async with service(broker, tmp_path, port):
            assert await (await during).result(timeout=60) == 9
            goes_on.set()
            told += await rest
            assert isinstance(told[-1], TaskEnded)
            assert told[-1].task.result == 1
            events = [item.position for item in told if isinstance(item, StreamedEvent)]
            assert events == sorted(set(events))
            types = [item.type for item in told if isinstance(item, StreamedEvent)]
            timeline = client.each_of_timeline(handle.task_id)
            assert types == [event.type async for event in timeline]
            assert types[-1] == "task.completed"
            said = "".join(
                str(chunk)
                for item in told
                if isinstance(item, OutputChunks)
                for chunk in item.chunks
            )
            assert said == "before after" or any(isinstance(i, OutputMissing) for i in told)
            squares = [task async for task in client.each_task(task_type="square")]
            assert len(squares) == 1


async def collected(stream: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in stream]


class LosesTheFirstAnswer(httpx.AsyncBaseTransport):
    """Sends each request, and loses the answer to the first."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        self.sent += 1
        if self.sent == 1:
            await answer.aread()
            raise httpx.ReadError("the connection was lost", request=request)
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.mark.parametrize("many", [False, True])
async def test_a_submission_whose_answer_is_lost_is_one_task(
    broker: Broker, tmp_path: Path, many: bool
) -> None:
    lossy = LosesTheFirstAnswer()
    async with (
        service(broker, tmp_path) as url,
        AsyncClient(url, transport=lossy) as losing,
        AsyncClient(url) as client,
    ):
        if many:
            handles = await losing.submit_many([{"n": 1}, {"n": 2}])
        else:
            handles = [await losing.submit({"n": 1})]
        assert lossy.sent == 2
        found = [task.task_id async for task in client.each_task()]
        assert sorted(found) == sorted(handle.task_id for handle in handles)


async def test_a_rate_of_requests_is_kept_to_by_waiting(broker: Broker, tmp_path: Path) -> None:
    async with service(broker, tmp_path, rate_limit="4/second") as url, AsyncClient(url) as client:
        handles = await asyncio.gather(*(client.submit({"n": n}) for n in range(12)))
        assert len({handle.task_id for handle in handles}) == 12
        async with AsyncClient(url, retries=Retries(attempts=1)) as hasty:
            with pytest.raises(TooManyRequests) as raised:
                await asyncio.gather(*(hasty.task("t") for _ in range(12)))
        assert raised.value.retry_after is not None


async def test_a_service_that_takes_no_more_for_now_is_asked_again(
    broker: Broker, tmp_path: Path
) -> None:
    agent = an_agent(broker, tmp_path, slots=1)
    few = {"max_queued_tasks": 2}
    async with service(broker, tmp_path, **few) as url, AsyncClient(url) as client:
        async with AsyncClient(url, retries=ONCE) as hasty:
            filling = await hasty.submit_many([{"task_type": "square", "n": n} for n in (7, 8)])
            with pytest.raises(Unavailable, match="COORDINATOR_MAX_QUEUED_TASKS") as raised:
                await hasty.submit({"n": 3})
            assert raised.value.retry_after is not None
        tasks = [{"task_type": "square", "n": n} for n in range(3)]
        waiting = asyncio.ensure_future(client.submit_many(tasks))
        one_more = asyncio.ensure_future(client.submit({"task_type": "square", "n": 9}))
        async with agent.running():
            handles = [client.handle(one.task_id) for one in filling]
            handles += [*await waiting, await one_more]
            ended = await client.wait_all(handles, timeout=60)
        assert [task.result for task in ended] == [49, 64, 0, 1, 4, 81]
        submitted = [task async for task in client.each_task(task_type="square")]
        assert len(submitted) == 6


async def test_a_service_that_starts_later_is_waited_for_and_one_that_does_not_is_told(
    broker: Broker, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with AsyncClient(url, retries=Retries(total_seconds=0.5)) as hasty:
        with pytest.raises(NotSent, match=url):
            await hasty.submit({})
    async with AsyncClient(url) as client:
        early = asyncio.ensure_future(client.submit({}))
        async with service(broker, tmp_path, port):
            assert (await early).task_id


async def test_several_threads_share_a_blocking_client(broker: Broker, tmp_path: Path) -> None:
    results: list[int] = []

    def use(client: Client, n: int) -> None:
        results.append(client.submit({"task_type": "square", "n": n}).result(timeout=60))

    def all_of_them(url: str) -> None:
        with Client(url) as client:
            threads = [threading.Thread(target=use, args=(client, n)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    agent = an_agent(broker, tmp_path)
    async with service(broker, tmp_path) as url, agent.running():
        await asyncio.to_thread(all_of_them, url)
    assert sorted(results) == [n**2 for n in range(8)]
