"""What a broker can do to a service with an agent: told in a sentence, by the service and by
`coordinator doctor`, and over by itself afterwards.

Each trouble ends the same way: a task that is submitted runs to its end, and the doctor finds nothing.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
import sqlalchemy as sa

from consumers import Task
from consumers.agent_timings import DEFAULT_TIMINGS, AgentTimings
from coordinator.bootstrap import Replacements
from coordinator.broker.connection import Connection
from coordinator.broker.connection_timings import ConnectionTimings
from coordinator.doctor import Patience
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, LOG, TOPOLOGY
from coordinator.registry.tables import schema
from tests.support.broker import Broker, OwnBroker
from tests.support.doctor import Doctor
from tests.support.logged import logged
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

NORMAL = TaskQueue("any", Priority.NORMAL)
PAUSE = 0.05
"""Seconds between two requests of a producer."""
BATCH = 5
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


class Producer:
    """Submits to a service with one agent, and sees what comes of it."""

    def __init__(self, service: Service, doctor: Doctor, log: io.StringIO) -> None:
        self.service = service
        self.doctor = doctor
        self.log = log
        self.http = service.http
        self.runs: list[str] = []

    async def submit(self, **more: Any) -> Any:
        return await self.http.post("/tasks/submit", json={"task_data": {}, **more})

    async def ends(self, task_id: str) -> None:
        async def ended() -> bool:
            answer = await self.http.get(f"/tasks/{task_id}")
            return answer.status_code == 200 and answer.json()["task"]["state"] == "completed"

        await eventually(ended, timeout=90)

    async def runs_again(self, **more: Any) -> None:
        """Submitting succeeds without anybody's help, and the task runs."""

        async def taken() -> str | None:
            answer = await self.submit(**more)
            assert answer.status_code in (200, 503), answer.text
            return str(answer.json()["task_id"]) if answer.status_code == 200 else None

        task_id = await eventually(taken, timeout=90)
        await self.ends(task_id)

        async def well() -> bool:
            return bool((await self.http.get("/health")).json()["status"] == "healthy")

        await eventually(well, timeout=60)

    async def ticks_after(self, instant: datetime) -> None:
        """A recurring schedule has a run that was due after ``instant``."""
        schedule = {"schedule_id": "often", "cron": "* * * * * *", "task": {"task_data": {}}}
        answer = await self.http.post("/schedules", json=schedule)
        assert answer.status_code in (200, 409), answer.text

        async def ran() -> str | None:
            told = (await self.http.get("/schedules/often")).json()["schedule"]
            last = told["last_run_at"]
            ran_after = last is not None and datetime.fromisoformat(last) > instant
            return str(told["last_task_id"]) if ran_after else None

        await self.ends(await eventually(ran, timeout=60))

    async def recovers(self) -> None:
        await self.runs_again()
        await self.doctor.finds_no_problem()

    async def logs(self, words: str) -> None:
        """Once for each time that it is asked for."""
        await eventually(lambda: words in self.log.getvalue(), timeout=60)
        self.log.seek(0)
        self.log.truncate()

    async def is_told(self, words: str) -> None:
        """A submission is refused; the service says so of itself with these words, and has logged
        them.
        """

        async def refused() -> bool:
            answer = await self.submit()
            if answer.status_code == 200:
                return False
            assert answer.status_code == 503, answer.text
            body = answer.json()
            if body["detail"] != "Task distributor not available":
                assert "it may have been accepted" in body["detail"]
                return False
            return bool(body["reason"])

        async def unwell() -> bool:
            answer = (await self.http.get("/health")).json()
            return answer["status"] == "degraded" and words in " ".join(answer["problems"])

        await eventually(refused, timeout=60)
        await eventually(unwell, timeout=60)
        await self.logs(words)


@asynccontextmanager
async def producing(
    broker: Broker,
    folder: Path,
    *,
    operator: Broker | None = None,
    timings: AgentTimings = DEFAULT_TIMINGS,
    patience: Patience = Patience(),  # noqa: B008 - frozen
    **settings: Any,
) -> AsyncIterator[Producer]:
    with logged() as log:
        async with serving(broker, folder, **settings) as service:
            doctor = Doctor(broker, folder, operator=operator, patience=patience)
            producer = Producer(service, doctor, log)
            async with working(producer, timings):
                await producer.runs_again()
                yield producer


@asynccontextmanager
async def working(
    producer: Producer, timings: AgentTimings = DEFAULT_TIMINGS
) -> AsyncIterator[None]:
    """An agent does what there is to do."""
    agent = producer.service.agent()
    agent.configure(timings=timings)

    @agent.default
    async def work(task: Task) -> None:
        producer.runs.append(task.id)

    async with agent.running():
        yield


@pytest.fixture
async def limited(broker: Broker) -> AsyncIterator[Broker]:
    """The same virtual host, as a user of the test's own sees it."""
    user = f"user-{broker.vhost}"
    await broker.management.put("users", user, body={"password": "secret", "tags": ""})
    await broker.management.put("permissions", broker.vhost, user, body=EVERYTHING)
    parts = urlsplit(broker.url)
    login = f"{quote(user, safe='')}:secret@{parts.hostname}:{parts.port}"
    try:
        yield Broker(
            urlunsplit(parts._replace(netloc=login)),
            broker.management,
            vhost=broker.vhost,
            name=broker.name,
            version=broker.version,
        )
    finally:
        await broker.management.delete("users", user)


async def test_a_virtual_host_is_deleted_and_created_again(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await producer.ticks_after(datetime.now(UTC))
        await broker.management.delete("vhosts", broker.vhost)
        await producer.is_told("check that the virtual host exists")
        fix = await producer.doctor.finds(
            "broker", f"The virtual host {broker.vhost} does not exist"
        )
        created = datetime.now(UTC)
        await producer.doctor.cure(fix)
        await producer.recovers()
        await producer.ticks_after(created)
        assert set(Counter(producer.runs).values()) == {1}


@pytest.mark.slow
async def test_a_users_permission_is_revoked_and_given_again(
    broker: Broker, limited: Broker, tmp_path: Path
) -> None:
    async with producing(limited, tmp_path, operator=broker) as producer:
        user = urlsplit(limited.url).username or ""
        nothing = {"configure": "^$", "write": "^$", "read": "^$"}
        await limited.management.put("permissions", limited.vhost, user, body=nothing)
        await all_closed(limited)
        await producer.is_told("refuses this user")
        fix = await producer.doctor.finds("permissions", "This user may not declare")
        await producer.doctor.cure(fix)
        await producer.recovers()

        reads_only = {**EVERYTHING, "write": "^$"}
        await limited.management.put("permissions", limited.vhost, user, body=reads_only)
        fix = await producer.doctor.finds("permissions", f"The user {user} may not write to")
        await producer.doctor.cure(fix)

        await limited.management.delete("permissions", limited.vhost, user)
        await all_closed(limited)
        fix = await producer.doctor.finds("permissions", f"The user {user} may not use")
        await producer.doctor.cure(fix)
        await producer.recovers()


async def test_a_queue_of_tasks_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(NORMAL.queue)
        fix = await producer.doctor.finds(
            "queues", f"Missing, of those that the ledger knows: {NORMAL.queue}"
        )
        assert "`coordinator serve`" in fix
        await producer.recovers()
        assert len(producer.runs) == 2
        await producer.logs("a queue was missing and was opened again")


async def test_the_log_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(LOG)
        for _ in range(5):
            await producer.runs_again()
        await producer.doctor.finds_no_problem()


async def test_what_is_accepted_while_the_log_is_deleted_is_recorded_and_done_once(
    broker: Broker, tmp_path: Path
) -> None:
    """Nobody works meanwhile: what an agent has said of its tasks is gone with the log."""
    with logged() as log:
        async with serving(broker, tmp_path) as service:
            producer = Producer(service, Doctor(broker, tmp_path), log)
            async with Rush(producer).running() as rush:
                for _ in range(3):
                    await rush.is_accepted()
                    await broker.delete_queue(LOG)
                await rush.is_accepted()

            async def recorded() -> bool:
                rows = await service.stored(sa.select(schema.tasks.c.task_id))
                return rush.accepted <= {row.task_id for row in rows}

            await eventually(recorded, timeout=90)
            async with working(producer):
                for task_id in rush.accepted:
                    await producer.ends(task_id)
            assert dict.fromkeys(rush.accepted, 1) == {
                task_id: count
                for task_id, count in Counter(producer.runs).items()
                if task_id not in rush.unknown
            }


async def test_everything_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    async with producing(broker, tmp_path) as producer:
        lasting = [name for name in await broker.queues() if name.startswith(("tasks", "coord"))]
        for exchange in TOPOLOGY.exchanges:
            await broker.management.delete("exchanges", broker.vhost, exchange.name)
        for queue in lasting:
            await broker.delete_queue(queue)
        await producer.recovers()


@pytest.mark.slow
@pytest.mark.any_broker
async def test_an_exchange_is_deleted_by_hand(broker: Broker, tmp_path: Path) -> None:
    brisk = timedelta(seconds=1)
    bound_often = AgentTimings(rebind_interval=timedelta(seconds=2))
    async with producing(
        broker, tmp_path, heartbeat_interval=brisk, timings=bound_often
    ) as producer:
        await broker.management.delete("exchanges", broker.vhost, CONTROL)
        missing = f"Missing, of those that everything needs: {CONTROL}"
        assert "`coordinator serve`" in await producer.doctor.finds("queues", missing)
        await producer.runs_again(priority="low")  # a new queue, of which agents are told there
        await producer.doctor.finds_no_problem()


async def test_somebody_else_declares_a_queue_of_tasks_otherwise(
    broker: Broker, tmp_path: Path
) -> None:
    of_another_kind = {"durable": True, "arguments": {}}
    async with producing(broker, tmp_path) as producer:
        queue = TaskQueue("any", Priority.HIGH).queue
        await broker.management.put("queues", broker.vhost, queue, body=of_another_kind)
        answer = await producer.submit(priority="high")
        assert answer.status_code == 503
        assert "Delete this on the broker" in answer.json()["reason"]
        assert queue in answer.json()["reason"]
        await producer.logs("Delete this on the broker")
        assert (await producer.submit()).status_code == 200, "the others go on"
        fix = await producer.doctor.finds(
            "unknown-queues", f"The queue {queue} has other arguments"
        )
        await producer.doctor.cure(fix)
        await producer.runs_again(priority="high")

        await broker.delete_queue(queue)
        await broker.management.put("queues", broker.vhost, queue, body=of_another_kind)
        fix = await producer.doctor.finds("queues", f"The queue {queue} has x-")
        await producer.doctor.cure(fix)
        await producer.runs_again(priority="high")
        await producer.doctor.finds_no_problem()


async def test_somebody_else_declares_the_log_otherwise(broker: Broker, tmp_path: Path) -> None:
    of_another_kind = {"durable": True, "arguments": {}}
    async with producing(broker, tmp_path) as producer:
        await broker.delete_queue(LOG)
        await broker.management.put("queues", broker.vhost, LOG, body=of_another_kind)
        await all_closed(broker)
        await producer.is_told(f"queue '{LOG}'")
        fix = await producer.doctor.finds("queues", f"The queue {LOG} has x-")
        await producer.doctor.cure(fix)
        await producer.recovers()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_alarms_and_whatever_hangs_are_told_and_pass(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    """One after the other, since each starts where the one before has ended."""
    given_up_soon = ConnectionTimings(connect_timeout=3)
    quick = timedelta(seconds=3)
    patience = Patience(management_timeout=3)
    async with producing(
        own_broker,
        tmp_path,
        timings=AgentTimings(connection=given_up_soon),
        replacements=Replacements(connect=partial(Connection, timings=given_up_soon)),
        patience=patience,
        publish_timeout=quick,
    ) as producer:
        due_meanwhile = (await producer.submit(delay_seconds=2)).json()["task_id"]
        await own_broker.ctl("set_vm_memory_high_watermark", "absolute", "1")
        await producer.is_told("short of memory or disk")
        fix = await producer.doctor.finds("memory", "has its memory alarm on")
        assert "rabbitmqctl set_vm_memory_high_watermark 0.6" in fix
        await own_broker.ctl("set_vm_memory_high_watermark", "0.6")
        await producer.ends(due_meanwhile)
        await producer.recovers()

        log = f"'%2F_{LOG}'"
        async with Rush(producer).running() as rush:
            await rush.is_accepted()
            await own_broker.ctl("eval", f"sys:suspend({log}).")
            await rush.is_refused()
            await producer.logs("The broker has stopped answering")
            fix = await producer.doctor.finds(
                "queues", f"1 queue does not answer, though the node does: {LOG}"
            )
            assert f"rabbitmq-queues quorum_status --vhost / {LOG}" in fix
            await own_broker.ctl("eval", f"sys:resume({log}).")
            await rush.is_accepted()
        await rush.ends_well()
        await producer.recovers()

        async with Rush(producer).running() as rush:
            await rush.is_accepted()
            await own_broker.suspend()
            await rush.is_refused()
            await producer.logs("The broker has stopped answering")
            fix = await producer.doctor.finds("broker", "it does not answer")
            assert fix.startswith("restart RabbitMQ there")
            await own_broker.resume()
            await rush.is_accepted()
        await rush.ends_well()
        await producer.recovers()


class Rush:
    """Producers that submit all the time, one by one and in batches, and keep what they are told."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._over = False
        self.accepted: set[str] = set()
        self.unknown: set[str] = set()
        self.not_sent = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Rush]:
        self._producer.runs.clear()
        async with asyncio.TaskGroup() as producers:
            for _ in range(6):
                producers.create_task(self._one_by_one())
            for _ in range(2):
                producers.create_task(self._in_batches())
            yield self
            self._over = True

    async def is_accepted(self) -> None:
        """From now on, many a task."""
        before = len(self.accepted)
        await eventually(lambda: len(self.accepted) > before + 50, timeout=120)

    async def is_refused(self) -> None:
        """Some tasks may have been accepted, and then nothing is sent any more."""
        before = self.not_sent
        await eventually(lambda: self.unknown and self.not_sent > before + 50, timeout=120)

    async def ends_well(self) -> None:
        """All that was accepted is done, once; so is what may have been, or it was never there."""
        for task_id in self.accepted:
            await self._producer.ends(task_id)
        for task_id in self.unknown:
            await self._is_done_or_was_never_there(task_id)
        runs = Counter(self._producer.runs)
        assert self.accepted <= set(runs) <= self.accepted | self.unknown
        assert set(runs.values()) == {1}, (
            "no agent has died: nothing is a reason to do a thing twice"
        )

    async def _is_done_or_was_never_there(self, task_id: str) -> None:
        async def known() -> bool:
            answer = await self._producer.http.get(f"/tasks/{task_id}")
            if answer.status_code == 404:
                return task_id not in self._producer.runs
            return answer.status_code == 200 and answer.json()["task"]["state"] == "completed"

        await eventually(known, timeout=90)

    async def _one_by_one(self) -> None:
        while not self._over:
            answer = await self._producer.submit()
            told = answer.json()
            await asyncio.sleep(PAUSE)
            if answer.status_code == 200:
                self.accepted.add(told["task_id"])
                continue
            assert answer.status_code == 503, answer.text
            if "task_id" in told:
                assert "it may have been accepted: ask GET /tasks/" in told["detail"]
                self.unknown.add(told["task_id"])
            else:
                self._nothing_was_sent(told["reason"])

    async def _in_batches(self) -> None:
        while not self._over:
            answer = await self._producer.http.post(
                "/tasks/submit/batch", json={"tasks": [{"task_data": {}}] * BATCH}
            )
            told = answer.json()
            await asyncio.sleep(PAUSE)
            if answer.status_code == 503:
                self._nothing_was_sent(told["reason"])
                continue
            assert answer.status_code == 200, answer.text
            for one in told["results"]:
                match one["status"]:
                    case "accepted":
                        self.accepted.add(one["task_id"])
                    case "unknown":
                        self.unknown.add(one["task_id"])
                    case _:
                        assert one["error"]["status_code"] == 503, one
                        self._nothing_was_sent(str(one["error"]))

    def _nothing_was_sent(self, reason: str) -> None:
        assert "nothing was sent" in reason or "not sent" in reason, reason
        self.not_sent += 1


async def all_closed(broker: Broker) -> None:
    """Those of the service and of its agent: two each, once the management API tells of them."""

    async def known() -> bool:
        return len(await broker.connections()) >= 4

    await eventually(known, timeout=60)
    await broker.close_connections()
