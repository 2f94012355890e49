"""Why a task waits: told from the ledger, the agents in memory and the broker's queues."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from coordinator.broker.channel import Depth
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.ineligibility_reasons import NOT_ON_THE_BROKER
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import LedgerUnavailable
from coordinator.protocol.messages.events import OVER_HTTP, Event, HeldTask
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.explanations.unserved_task_warning import WARNING_SECONDS
from coordinator.registry.queries.explanations.why_waiting import WhyWaiting
from coordinator.registry.queries.registry import Registry
from tests.unit.domain.histories import at, cancelled, failed, started, submitted
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, registered, removed, stopped

GPU = {"capabilities": ["gpu"]}
NO_AGENT = "No agent that is registered now meets the requirements: the task waits for one."
NEVER = "No agent that ever registered has the capability 'gpu'."


class Process:
    """One coordinator process over a ledger and queues that are as deep as is said."""

    async def _catch_up(self) -> None:
        """It never lags."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.agents = Fleet()
        self.book = TaskQueues()
        self.types = AnnouncedTypes()
        self.depths: dict[str, int] = {}
        registry = Registry(
            ledger=ledger,
            agents=self.agents,
            book=self.book,
            catch_up=self._catch_up,
            hear=self._catch_up,
        )
        self.explainer = WhyWaiting(
            find=registry.task,
            agents=self.agents,
            book=self.book,
            types=self.types,
            ledger=ledger,
            depths=self,
            lost_after=timedelta(minutes=5),
            monotonic=self.agents.clock.monotonic,
        )
        self._registry = registry

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        return {queue: Depth(self.depths[queue], 0) for queue in queues}

    async def fold(self, *events: Event) -> None:
        self._registry.folded((await stored(self.ledger, *events)).events)

    async def warning(self) -> str | None:
        self.agents.pass_time(WARNING_SECONDS)
        return await self.explainer.warning(Requirements.from_dict(GPU), None)


@pytest.fixture
def process(ledger: Ledger) -> Process:
    return Process(ledger)


async def test_a_waiting_task_is_told_with_what_is_ahead_and_with_every_agent(
    process: Process,
) -> None:
    for priority in Priority:
        process.book.add(TaskQueue("cap:gpu", priority), Requirements.from_dict(GPU))
    process.depths = {"tasks.cap:gpu.urgent": 2, "tasks.cap:gpu.critical": 0}
    high: dict[str, Any] = {"requirements": GPU, "priority": Priority.HIGH}
    await process.fold(
        submitted("first", submitted_at=at(0), **high),
        submitted("t", submitted_at=at(1), **high),
        submitted("later", submitted_at=at(2), **high),
        submitted("other lane", submitted_at=at(0), priority=Priority.HIGH),
        registered("ada", capabilities=["gpu"], slots=2),
        registered("bob", capabilities=["gpu"], slots=2),
        registered("cid"),
    )
    process.agents.apply(beat("bob", running=2))
    found = await process.explainer.explain("t")
    assert (
        found.why
        == "1 of the 2 agents that may do it take work now; 3 tasks of its lane are ahead of it."
    )
    assert found.ahead == {"urgent": 2, "critical": 0, "high": 1}
    assert [(one.agent_id, one.status, one.why_not) for one in found.able] == [
        ("ada", "active", []),
        ("bob", "busy", ["it has no free slot: 2 of 2 in use"]),
    ]
    assert [(one.agent_id, one.why_not) for one in found.unable] == [
        ("cid", ["it lacks the capability 'gpu'"])
    ]
    assert (found.able_count, found.unable_count, found.warnings) == (2, 1, [])


async def test_agents_without_a_control_queue_are_told_to_take_nothing(process: Process) -> None:
    await process.fold(
        submitted(requirements=GPU),
        registered("ada", capabilities=["gpu"], via=OVER_HTTP),
        registered("bob", capabilities=["gpu"]),
        stopped("bob"),
    )
    warning = await process.warning()
    assert warning == (
        "None of the 2 agents that meet the requirements listens: 1 of them would take work, but no"
        " control queue of theirs is on the broker, and who speaks HTTP alone takes no tasks. The task"
        " waits until one listens."
    )
    found = await process.explainer.explain("t")
    assert found.why.startswith(
        "None of the 2 agents that may do it has a free slot or takes work;"
    )
    assert found.warnings == [warning]
    assert [(one.agent_id, one.why_not) for one in found.able] == [
        ("ada", [NOT_ON_THE_BROKER]),
        ("bob", ["it has said goodbye"]),
    ]
    process.agents.probed("ada", present=True)
    assert await process.warning() is None


async def test_the_one_agent_that_may_do_a_task_is_named_with_what_keeps_it_from_it(
    process: Process,
) -> None:
    await process.fold(
        submitted(requirements=GPU), registered("ada", capabilities=["gpu"], slots=2)
    )
    ahead = "no tasks of its lane are ahead of it."

    async def why() -> str:
        return (await process.explainer.explain("t")).why

    assert await why() == f"The one agent that may do it, ada, takes work now; {ahead}"
    process.agents.apply(beat("ada", running=2))
    assert (
        await why()
        == f"The one agent that may do it, ada, takes none now: it has no free slot: 2 of 2 in use; {ahead}"
    )
    await process.fold(stopped("ada"))
    assert (
        await why()
        == f"The one agent that may do it, ada, takes none now: it has said goodbye; {ahead}"
    )


async def test_a_task_for_which_nobody_is_there_is_told_so(process: Process) -> None:
    await process.fold(submitted(requirements=GPU), registered("ada"))
    found = await process.explainer.explain("t")
    assert (
        found.why
        == "No agent that is registered now may do it; no tasks of its lane are ahead of it."
    )
    assert found.warnings == [f"{NO_AGENT} {NEVER}"]


async def test_a_scheduled_task_and_one_that_waits_for_its_next_attempt_say_when_they_are_due(
    process: Process,
) -> None:
    await process.fold(submitted("s", not_before=at(60)))
    found = await process.explainer.explain("s")
    assert found.due_at == at(60)
    assert found.why.startswith("Its time has not come: it will be put on its queue at 2026-")
    await process.fold(submitted(), started(), failed(retry_after_seconds=90))
    found = await process.explainer.explain("t")
    assert found.due_at == at(90)
    assert found.why.startswith("Attempt 1 failed: the next one will be put on its queue at 2026-")


async def test_a_task_that_does_not_wait_is_told_so(process: Process) -> None:
    await process.fold(registered(), submitted(), started())
    found = await process.explainer.explain("t")
    assert found.why == "It does not wait: 'ada' works on attempt 1."
    await process.fold(cancelled())
    found = await process.explainer.explain("t")
    assert found.why == "It does not wait: it has ended (cancelled)."
    assert (found.able, found.unable, found.ahead) == ([], [], {})


WHEN_LOST = (
    " Should that go on, and the task be on no queue, the attempt counts as lost after 300 s or more,"
    " and another may follow."
)


async def test_a_running_task_that_its_agent_does_not_name_is_told_so(process: Process) -> None:
    await process.fold(registered(), submitted(), started())
    works = "It does not wait: 'ada' works on attempt 1."

    async def why() -> str:
        return (await process.explainer.explain("t")).why

    process.agents.pass_time(5)
    process.agents.apply(beat())
    assert await why() == works, "it never named any task"
    process.agents.apply(beat(running=1))
    assert await why() == f"{works} Its last heartbeat does not name the task.{WHEN_LOST}"
    process.agents.apply(beat(held=[HeldTask(task_id="t")]))
    assert await why() == works
    process.agents.apply(beat(running=1))
    process.agents.pass_time(90)
    assert await why() == f"{works} It was not heard of for 90 s.{WHEN_LOST}"
    process.agents.apply(removed(seconds=99))
    assert await why() == f"{works} It is not known here as an agent now.{WHEN_LOST}"


async def test_the_warning_tells_nobody_now_from_nobody_ever(process: Process) -> None:
    assert await process.warning() == f"{NO_AGENT} {NEVER}"
    await process.fold(registered("ada", capabilities=["gpu"]))
    assert await process.warning() is None
    await process.fold(stopped("ada"))
    assert await process.warning() == (
        "The one agent that meets the requirements takes no work now: the task waits until it does."
    )
    await process.fold(registered("ada", seconds=5))
    assert await process.warning() == NO_AGENT


async def test_a_warning_is_told_without_the_ledger_while_it_is_away(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise LedgerUnavailable

    monkeypatch.setattr(process.ledger, "read", away)
    assert await process.warning() == NO_AGENT


async def test_a_task_for_one_agent_that_was_never_there_is_told_so(process: Process) -> None:
    assert await process.explainer.warning(Requirements(agent_id="nobody"), None) == (
        f"{NO_AGENT} No agent that ever registered is called 'nobody'."
    )


async def test_a_warning_is_looked_up_once_a_second(process: Process) -> None:
    wanted = Requirements.from_dict(GPU)
    assert await process.explainer.warning(wanted, None) is not None
    await process.fold(registered("ada", capabilities=["gpu"]))
    assert await process.explainer.warning(wanted, None) is not None
    assert await process.warning() is None


async def test_an_agent_that_may_not_read_the_queue_is_told_with_what_grants_it(
    process: Process,
) -> None:
    await process.fold(registered(), registered("bob", 1), submitted())
    shut = ["tasks.any.normal"]
    process.agents.apply(beat(unreadable=shut))
    process.agents.apply(beat("bob"))
    found = await process.explainer.explain("t")
    ada, bob = found.able
    assert bob.why_not == []
    assert [
        "its user on the broker may not read tasks.any.normal" in one for one in ada.why_not
    ] == [True]
    assert found.why.startswith("The one agent that may do it, bob, takes work now")
    assert found.warnings == []
    process.agents.apply(beat("bob", unreadable=shut))
    found = await process.explainer.explain("t")
    assert found.why.startswith("All 2 agents that may do it lack the permission to read its queue")
    process.agents.pass_time(2 * WARNING_SECONDS)
    [warning] = (await process.explainer.explain("t")).warnings
    assert "lack the permission to read the lane any on the broker" in warning
    process.agents.apply(beat("bob"))
    process.agents.apply(beat())
    assert all(not one.why_not for one in (await process.explainer.explain("t")).able)
