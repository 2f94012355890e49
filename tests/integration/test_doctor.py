"""`coordinator doctor` on a real broker: what it finds, that its fixes work, and what it leaves."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from coordinator import doctor as doctor_package
from coordinator.bootstrap.replacements import Replacements
from coordinator.broker.channel import Channel
from coordinator.broker.connection import Connection
from coordinator.commands import cli
from coordinator.commands.observability.examined_service import examined_service
from coordinator.doctor.checks.node_checks import check_nodes
from coordinator.doctor.facts.broker_location import locate_broker
from coordinator.doctor.facts.fact_types import ManagementFacts
from coordinator.doctor.facts.management_facts import ask_management
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG, TOPOLOGY, QueueSpec, Topology, task_queue_topology
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.task_queue_rows import fold_task_queues
from coordinator.settings import Settings, load_settings, unknown_settings
from tests.support.broker import Broker
from tests.support.doctor import Findings, follow
from tests.support.serving import serving
from tests.support.waiting import eventually
from tests.unit.doctor.healthy import with_management

Doctor = Callable[[], Awaitable[tuple[int, Findings]]]

KNOWN = TaskQueue("any", Priority.NORMAL)
WRONG = TaskQueue("any", Priority.HIGH)
GONE = TaskQueue("any", Priority.LOW)
DIFFERENT = QueueSpec(
    name=WRONG.queue,
    arguments={**task_queue_topology(WRONG).queues[0].arguments, "x-delivery-limit": 5},
)
UNKNOWN = QueueSpec(name="tasks.by-hand.normal", arguments={"x-queue-type": "quorum"})


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COORDINATOR_{name.upper()}", raising=False)
    monkeypatch.setenv("COORDINATOR_DATA_DIR", str(tmp_path))


@pytest.fixture
def named(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", broker.url)
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", broker.management.url)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Runs the command; its exit status, and its findings that are not fine, by check."""

    async def visit() -> tuple[int, Findings]:
        here_nobody_starts = doctor_package.Patience(reader_within=0)
        status = await asyncio.to_thread(
            doctor_package.run,
            load_settings(),
            json=True,
            unknown=unknown_settings(),
            patience=here_nobody_starts,
        )
        printed = json.loads(capsys.readouterr().out)
        found: Findings = {}
        for one in printed["findings"]:
            if one["level"] != "ok" and one["check"] != "version":  # old brokers have defects
                found.setdefault(one["check"], []).append(one)
        return status, found

    return visit


@asynccontextmanager
async def channel_to(broker: Broker) -> AsyncIterator[Channel]:
    async with Connection(broker.url, name=broker.name) as connection:
        link = await connection.opened()
        yield await link.channel(confirms=True)


async def opened(data_dir: Path, *sources: TaskQueue) -> None:
    """The ledger knows these."""
    events = [
        Event(data=SourceOpened(lane=one.lane, priority=one.priority, requirements={}))
        for one in sources
    ]
    async with Ledger(Settings(data_dir=data_dir).ledger_place) as ledger:
        await ledger.write(lambda connection: fold_task_queues(connection, events))


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.usefixtures("named")
async def test_a_broker_that_no_coordinator_has_seen_is_no_problem_and_stays_as_it_is(
    broker: Broker, doctor: Doctor, tmp_path: Path
) -> None:
    status, found = await doctor()
    assert status == 0
    assert {"queues", "ledger"} <= set(found)
    assert "No coordinator has been connected" in found["queues"][0]["text"]
    assert await broker.queues() == []
    assert inside(tmp_path) == []

    async def margins() -> set[str]:  # a new node tells them after some seconds
        facts = await ask_management(locate_broker(load_settings()))
        assert isinstance(facts, ManagementFacts)
        assert facts.withheld == ()
        findings = check_nodes(with_management(nodes=facts.nodes))
        return {"memory", "broker-disk"} & {one.check for one in findings}

    assert await eventually(margins, timeout=60) == {"memory", "broker-disk"}


@pytest.mark.any_broker
@pytest.mark.usefixtures("named")
async def test_a_variable_that_is_no_setting_is_found(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_STALE_AFTR", "90")
    _, found = await doctor()
    (one,) = found["settings"]
    assert one["level"] == "warning"
    assert "was COORDINATOR_STALE_AFTER meant?" in one["text"]
    assert one["fix"] == "put its name right, or unset it"


@pytest.mark.usefixtures("named")
async def test_what_is_wrong_is_found_and_its_fixes_make_it_well(
    broker: Broker, doctor: Doctor, tmp_path: Path
) -> None:
    await opened(tmp_path, KNOWN, WRONG, GONE)
    async with channel_to(broker) as channel:
        await channel.declare(TOPOLOGY)
        await channel.declare(task_queue_topology(KNOWN))
        await channel.declare(Topology(queues=(DIFFERENT, UNKNOWN)))
        await channel.consume(LOG, lambda _: None, tag="reader")
        short = {"pattern": "^coordinator", "definition": {"max-length": 5}, "apply-to": "queues"}
        await broker.management.put("policies", broker.vhost, "short", body=short)

        status, found = await doctor()

        assert status == 1
        assert [one["text"] for one in found["queues"]] == [
            "The queue tasks.any.high has x-delivery-limit 5; it should be 20",
            "Missing, of those that the ledger knows: tasks.any.low",
        ]
        assert "tasks.by-hand.normal" in found["unknown-queues"][0]["text"]
        assert "max-length 5" in found["policies"][0]["text"]
        assert "consumer-timeout" in found  # without a policy, nobody knows how long it is
        assert found["consumer-timeout"][0]["level"] == "warning"
        assert await broker.queues() == sorted(
            [*(one.name for one in TOPOLOGY.queues), KNOWN.queue, WRONG.queue, UNKNOWN.name]
        )

        fixes = [
            one["fix"] for check in ("queues", "unknown-queues", "policies") for one in found[check]
        ]
        if broker.major >= (3, 12):
            fixes.append(found["consumer-timeout"][0]["fix"])
        for fix in fixes:
            if fix.startswith("curl"):
                await follow(fix, broker)
        for source in (WRONG, GONE):  # as a coordinator does when it starts
            await channel.declare(task_queue_topology(source))

        status, found = await doctor()

        assert status == 0
        assert set(found) <= (set() if broker.major >= (3, 12) else {"consumer-timeout"})


@pytest.mark.usefixtures("named")
async def test_a_broken_binding_and_a_log_that_nobody_reads_are_problems(
    broker: Broker, doctor: Doctor, tmp_path: Path
) -> None:
    await opened(tmp_path, KNOWN)
    async with channel_to(broker) as channel:
        await channel.declare(TOPOLOGY)
        await channel.declare(task_queue_topology(KNOWN))
        for _ in range(2):
            await channel.publish(Message(body=b"{}"), exchange="", key=LOG)
    await broker.management.delete(
        "bindings", broker.vhost, "e", "coordinator.work", "q", KNOWN.queue, KNOWN.key
    )
    status, found = await doctor()
    assert status == 1
    assert [one["text"] for one in found["bindings"]] == [
        f"Not bound: {KNOWN.queue} to its exchange"
    ]
    assert "2 messages of the log are not folded" in found["log"][0]["text"]
    assert found["log"][0]["level"] == "problem"


async def test_a_user_who_may_do_little_learns_what_to_ask_for(
    broker: Broker, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = f"visitor-{broker.vhost}"
    nothing = {"configure": "^$", "write": "^$", "read": ".*"}
    await broker.management.put("users", user, body={"password": "x", "tags": ""})
    try:
        await broker.management.put("permissions", broker.vhost, user, body=nothing)
        parts = urlsplit(broker.url)
        host = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"{quote(user)}:x@{host}"))
        monkeypatch.setenv("COORDINATOR_AMQP_URL", url)
        monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", broker.management.url)
        async with channel_to(broker) as channel:
            await channel.declare(TOPOLOGY)

        status, found = await doctor()

        assert status == 1
        assert "refuses this user or password" in found["management"][0]["text"]
        assert found["permissions"][0]["fix"] == shlex.join(
            ["rabbitmqctl", "set_permissions", "--vhost", broker.vhost, user, ".*", ".*", ".*"]
        )

        monkeypatch.setenv("COORDINATOR_AMQP_URL", url.replace(":x@", ":wrong@"))
        status, found = await doctor()
        assert status == 1
        assert "refuses this user or password" in found["broker"][0]["text"]
    finally:
        await broker.management.delete("users", user)


async def test_without_its_management_api_the_broker_is_looked_at_over_amqp(
    broker: Broker, doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", broker.url)
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", "http://127.0.0.1:1")
    await opened(tmp_path, WRONG)
    async with channel_to(broker) as channel:
        await channel.declare(TOPOLOGY)
        await channel.declare(Topology(queues=(DIFFERENT,)))
    status, found = await doctor()
    assert status == 1
    assert [one["level"] for one in found["management"]] == ["warning"]
    assert found["queues"][0]["fix"] == shlex.join(
        ["rabbitmqctl", "delete_queue", "--vhost", broker.vhost, WRONG.queue]
    )


async def test_a_broker_that_is_away_is_one_problem_and_the_ledger_is_read(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "amqp://user:hunter2@127.0.0.1:1/")
    await opened(tmp_path, KNOWN)
    status, found = await doctor()
    assert status == 1
    assert list(found) == ["broker"]
    assert "hunter2" not in str(found)


def test_a_wrong_option_is_misuse() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--jsno"])
    assert ended.value.code == 2


async def test_limits_that_each_process_counts_by_itself_are_a_warning(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether there is a broker or not."""
    monkeypatch.setenv("COORDINATOR_RATE_LIMIT", "10/minute")
    assert "rates" not in (await doctor())[1]
    monkeypatch.setenv("COORDINATOR_HTTP_WORKERS", "4")
    (found,) = (await doctor())[1]["rates"]
    assert found["level"] == "warning"
    assert "each of the 4 workers counts by itself" in found["text"]
    assert "number of processes" in found["fix"]


async def test_a_service_that_is_asked_says_what_the_doctor_beside_it_says(
    broker: Broker, tmp_path: Path, doctor: Doctor, named: None
) -> None:
    settings = load_settings()
    examined = examined_service(Replacements(), settings)
    async with serving(broker, tmp_path, replacements=examined) as service:
        told = (await service.http.get("/health/findings")).json()["findings"]
        _, found = await doctor()
    seen: Findings = {}
    for one in told:
        if one["level"] != "ok" and one["check"] != "version":
            seen.setdefault(one["check"], []).append(one)
    assert {one["check"] for one in told} >= {"broker", "version", "log", "ledger"}
    assert seen == found
