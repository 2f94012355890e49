"""What is larger than the broker takes: told to whoever it is for, in the way of nothing else."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from consumers import Task
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.domain.transitions.effects import Rules
from coordinator.errors import MessageTooLarge
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import TaskCompleted, TaskFailed
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from tests.support.broker import Broker, own_node
from tests.support.field import Field, any_lane
from tests.support.management import ManagementApi
from tests.support.serving import serving
from tests.support.sources import BrokerSource
from tests.support.waiting import eventually
from tests.unit.domain.histories import failed, started, submitted

LIMIT = 64 * 1024
"""Bytes that the broker takes in one message."""

NORMAL = any_lane("normal")

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def node(
    broker_source: BrokerSource, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, str, str, str, str]]:
    if not broker_source.ours:
        pytest.skip("this broker is not the tests' own: its limit is not theirs to choose")
    node = own_node(broker_source, tmp_path_factory.mktemp("small"), {"max_message_size": LIMIT})
    try:
        await node.start()
        yield node.amqp_url, node.management_url, node.username, node.password, node.version
    finally:
        await node.stop()


@pytest.fixture
async def small(node: tuple[str, str, str, str, str]) -> AsyncIterator[Broker]:
    """A virtual host of the test's own on a node that takes little."""
    url, management_url, username, password, version = node
    vhost = f"small-{next(_numbers)}"
    async with ManagementApi(management_url, username=username, password=password) as management:
        await management.create_vhost(vhost)
        yield Broker(url, management, vhost=vhost, name=vhost, version=version)
        await management.delete("vhosts", vhost)


async def test_a_result_that_is_too_large_fails_its_task_and_no_other(
    small: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Field(small.url, tmp_path) as field:
        await field.open(NORMAL)
        agent = field.agent("ada", slots=8)
        together = asyncio.Event()

        @agent.default
        async def work(task: Task) -> str:
            await together.wait()  # so that the ends travel in one message
            return "x" * int(task.data["bytes"])

        async with agent.running():
            large = await field.submit(NORMAL, bytes=2 * LIMIT)
            others = [await field.submit(NORMAL, bytes=100) for _ in range(7)]
            await eventually(lambda: len(field.started()) == 8)
            together.set()
            await field.all_ended([large, *others], timeout=30)
            later = await field.submit(NORMAL, bytes=LIMIT // 2)
            await field.all_ended([later], timeout=30)
        assert await field.depth(NORMAL) == 0
    assert {event.task_id for event in field.heard(TaskCompleted)} == {*others, later}
    (failed,) = field.heard(TaskFailed)
    assert (failed.task_id, failed.retryable) == (large, False)
    assert failed.error.type == "ResultTooLarge"
    assert f"the broker takes {LIMIT} at most" in failed.error.message
    assert any(str(2 * LIMIT)[:3] in word for word in failed.error.message.split())
    assert "Delete this" not in caplog.text


async def test_results_that_are_too_large_together_travel_apart(
    small: Broker, tmp_path: Path
) -> None:
    async with Field(small.url, tmp_path) as field:
        await field.open(NORMAL)
        agent = field.agent("ada", slots=8)
        together = asyncio.Event()

        @agent.default
        async def work(task: Task) -> str:
            await together.wait()
            return "x" * (LIMIT // 2)

        async with agent.running():
            ids = [await field.submit(NORMAL) for _ in range(8)]
            await eventually(lambda: len(field.started()) == 8)
            together.set()
            await field.all_ended(ids, timeout=30)
    assert not field.heard(TaskFailed)


async def test_what_is_in_flight_beside_a_message_that_is_too_large_is_confirmed(
    small: Broker,
) -> None:
    async with Connection(small.url, name="test") as connection, Publisher(connection) as publisher:
        await publisher.ready()
        sizes = [100, LIMIT, 2 * LIMIT, 200, LIMIT + 1, 20_000, 300]
        messages = [Outgoing(Message(body=bytes(size)), "", "nowhere") for size in sizes]
        beside = [publisher.publish_all(messages[:1] * 100), publisher.publish_all(messages)]
        ended = [error for errors in await asyncio.gather(*beside) for error in errors]
        assert [type(error) for error in ended[:100]] == [type(None)] * 100
        told = [(error.size, error.limit) if error else None for error in ended[100:]]  # type: ignore[union-attr]
        large, larger = (LIMIT + 1, LIMIT), (2 * LIMIT, LIMIT)
        assert told == [None, None, larger, None, large, None, None]
        with pytest.raises(MessageTooLarge, match=f"{LIMIT} at most"):
            await publisher.publish(messages[2].message, exchange="", key="nowhere")
        assert publisher.available


async def test_a_task_that_is_too_large_is_answered_413_with_the_limit(
    small: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    large: dict[str, Any] = {"task_data": {"text": "x" * (LIMIT + 1000)}}
    fits: dict[str, Any] = {"task_data": {"text": "x" * (LIMIT // 2)}}
    caplog.set_level(logging.WARNING)
    async with serving(small, tmp_path) as service:
        answers = {
            "batch": await service.http.post(
                "/tasks/submit/batch", json={"tasks": [fits, large, fits]}
            ),
            "plain": await service.http.post("/tasks/submit", json=large),
            "keyed": await service.http.post(
                "/tasks/submit", json=large, headers={"Idempotency-Key": "one"}
            ),
            "delayed": await service.http.post("/tasks/submit", json={**large, "delay_seconds": 9}),
            "schedule": await service.http.post(
                "/schedules", json={"cron": "0 0 1 1 *", "task": large}
            ),
        }
        first, refused, last = answers.pop("batch").json()["results"]
        assert (first["status"], last["status"]) == ("accepted", "accepted")
        assert refused["error"]["status_code"] == 413
        assert f"the broker takes {LIMIT} at most" in refused["error"]["detail"]
        for name, answer in answers.items():
            assert answer.status_code == 413, (name, answer.text)
            assert f"the broker takes {LIMIT} at most" in answer.json()["detail"], name
        assert (await service.http.post("/tasks/submit", json=fits)).status_code == 200
        answer = await service.http.post("/schedules", json={"cron": "0 0 1 1 *", "task": fits})
        assert answer.status_code == 200
    assert "Delete this" not in caplog.text


async def test_what_was_accepted_when_the_broker_took_more_is_dead_says_so_and_can_be_redriven(
    small: Broker, tmp_path: Path
) -> None:
    """The ledger is that of a broker whose `max_message_size` was larger."""
    large = {"text": "x" * (LIMIT + 1000)}
    soon = datetime.now(UTC)
    accepted = [
        submitted("retry", task_data=large),
        started(task_id="retry"),
        failed(task_id="retry"),
        submitted("scheduled", task_data=large, not_before=soon),
        submitted("queued", task_data=large),
        submitted("small", not_before=soon),
    ]
    async with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}") as ledger:
        rules = Rules(now=soon)
        await ledger.write(lambda connection: store(connection, accepted, rules))
        await FormerBrokerTasks(ledger).give_up_broker()
    async with serving(small, tmp_path) as service:
        for task_id in ("retry", "scheduled", "queued"):
            task = await service.ends(task_id)
            assert (task["state"], task["error"]["type"]) == ("dead", "MessageTooLarge"), task_id
            assert f"the broker takes {LIMIT} at most" in task["error"]["message"]
        await service.becomes("small", "queued")

        async def listed() -> bool:
            return len(await service.dead_ids(error_type="MessageTooLarge")) == 3

        await eventually(listed)  # The list is the ledger's, which is told last.

        refused = await service.http.post("/tasks/retry/retry")
        assert refused.status_code == 413
        assert f"the broker takes {LIMIT} at most" in refused.json()["detail"]
        many = await service.post("/tasks/dead/redrive")
        assert many["redriven"] == 0
        assert "3 are larger than the broker takes" in many["message"]
        await service.post("/tasks/retry/retry", task_data={"text": "elsewhere"})
        await service.becomes("retry", "queued")
