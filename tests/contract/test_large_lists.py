"""Lists of what is large: each answer has a bound, and others are served while it is made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from coordinator.api import create_app
from coordinator.api.endpoints.task_pages import _place
from coordinator.api.list_answer import MOST_BYTES
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.short_texts import LONGEST
from coordinator.broker.channel import Depth
from coordinator.domain.cron.ticks import Missed
from coordinator.domain.task import State
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.queries.dead_tasks import DeadPage
from coordinator.registry.queries.parked_pages import ParkedPage
from coordinator.registry.queries.task_pages import Place
from coordinator.registry.queries.task_timeline import TaskTimeline, TimelineEntry
from coordinator.registry.queries.task_view import JsonText
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.tables.schema import micros
from tests.contract.fake_pages import parked

from .fakes import NOW, Fakes, a_dead_task, a_task, an_agent, over

LARGE = {"about": "x" * 16_000}

ASKED: list[tuple[str, str]] = [("POST", "/agents/discover"), ("GET", "/agents?limit=200")]


def fleet(count: int, metadata: dict[str, Any]) -> Fakes:
    fakes = Fakes()
    for number in range(count):
        agent_id = f"agent-{number:04}"
        fakes.agents[agent_id] = an_agent(agent_id=agent_id, metadata=metadata)
    return fakes


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_a_small_fleet_is_answered_whole(method: str, path: str) -> None:
    async with over(fleet(20, LARGE).app()) as http:
        told = (await http.request(method, path)).json()
    assert [agent["agent_id"] for agent in told["agents"]] == [f"agent-{n:04}" for n in range(20)]
    assert told["agents"][0]["metadata"] == LARGE
    assert (told["status"], told["count"]) == ("success", 20)
    assert told.get("next_cursor") is None
    assert "total" not in told or told["total"] == 20


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_no_fleet_is_an_empty_list(method: str, path: str) -> None:
    async with over(Fakes().app()) as http:
        told = (await http.request(method, path)).json()
    assert (told["agents"], told["count"]) == ([], 0)


async def test_a_large_fleet_is_found_in_part_and_the_answer_says_of_how_many() -> None:
    async with over(fleet(600, LARGE).app()) as http:
        answer = await http.post("/agents/discover", json={})
        few = (await http.post("/agents/discover", json={"limit": 3})).json()
    told = answer.json()
    assert len(answer.content) < MOST_BYTES + 20_000
    assert (told["count"], told["total"]) == (len(told["agents"]), 600)
    assert 200 < told["count"] < 300
    assert (few["count"], few["total"]) == (3, 600)


async def test_a_page_of_a_large_fleet_ends_where_the_next_one_begins() -> None:
    async with over(fleet(600, LARGE).app()) as http:
        told = (await http.get("/agents", params={"limit": 200})).json()
        assert told["count"] == len(told["agents"]) < 600
        assert told["total"] == 600
        further = await http.get("/agents", params={"cursor": told["next_cursor"]})
        assert further.status_code == 200
    last = told["agents"][-1]["agent_id"]
    assert 200 < told["count"] < 300
    assert last == f"agent-{told['count'] - 1:04}"


async def test_one_that_alone_is_larger_than_an_answer_is_told_all_the_same() -> None:
    async with over(fleet(2, {"about": "x" * MOST_BYTES}).app()) as http:
        told = (await http.post("/agents/discover")).json()
    assert (told["count"], told["total"]) == (1, 2)


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_others_have_their_turn_while_a_large_answer_is_made(method: str, path: str) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def ask(http: httpx.AsyncClient) -> None:
        assert (await http.request(method, path)).status_code == 200

    async with over(fleet(600, LARGE).app()) as http:
        await ask(http)
        waiting = asyncio.create_task(others())
        async with over(Fakes().app()) as small:
            await ask(small)
        before, turns = turns, 0
        await ask(http)
        waiting.cancel()
    assert turns >= before + 40, "one for each 64 KiB of about 4 MiB, and what any request has"


def a_schedule(schedule_id: str, text: str) -> RecurringSchedule:
    """Whose type is as long as ``text``, in a list as well."""
    return RecurringSchedule(
        schedule_id=schedule_id,
        cron="* * * * *",
        timezone="UTC",
        missed=Missed.SKIP,
        task={"task_data": {"task_type": text}},
        created_at=NOW,
        next_at=None,
    )


LONG = "x" * 50_000
"""As a message or a traceback of an agent may be, and longer."""

WIDE = {"capabilities": [f"{number}-{'c' * 120}" for number in range(250)]}
"""Some 30 kB of requirements."""


def many_tasks(count: int, **changes: Any) -> Fakes:
    fakes = Fakes()
    for number in range(count):
        task_id = f"task-{number:04}"
        fakes.tasks[task_id] = a_task(task_id=task_id, **changes)
    return fakes


async def get(fakes: Fakes, path: str) -> tuple[dict[str, Any], int]:
    async with over(fakes.app()) as http:
        answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json(), len(answer.content)


async def test_in_a_list_an_agents_texts_are_cut() -> None:
    error = {"type": "E", "message": LONG, "traceback": LONG, "retryable": True}
    progress = {"fraction": 0.5, "message": LONG}
    fakes = many_tasks(1, error=error, progress=progress)
    task = (await get(fakes, "/tasks"))[0]["tasks"][0]
    short = LONG[: LONGEST - 1] + "\u2026"
    assert task["error"] == error | {"message": short, "traceback": short}
    assert task["progress"] == progress | {"message": short}
    whole = (await get(fakes, "/tasks/task-0000"))[0]["task"]
    assert (whole["error"], whole["progress"]) == (error, progress)


@pytest.mark.parametrize("path", ["/tasks", "/agents/ada/tasks"])
async def test_a_page_of_large_tasks_ends_where_the_next_one_begins(path: str) -> None:
    fakes = many_tasks(200, requirements=WIDE, state="queued", submitted_at=NOW)
    fakes.agents["ada"] = an_agent(agent_id="ada")
    told, size = await get(fakes, path)
    assert size < MOST_BYTES + 1000
    assert 100 < told["count"] == len(told["tasks"]) < 200
    last = Place(micros(NOW), told["tasks"][-1]["task_id"])
    if path == "/tasks":
        assert Place(*cursors.TASKS.read(told["next_cursor"]) or (0, "")) == last
    else:
        assert _place(told["next_cursor"]) == (False, last)


async def test_a_page_of_an_agents_running_tasks_goes_on_among_those_that_run() -> None:
    fakes = many_tasks(200, requirements=WIDE, state=State.RUNNING.value)
    fakes.agents["ada"] = an_agent(agent_id="ada")
    told, _ = await get(fakes, "/agents/ada/tasks")
    after = _place(told["next_cursor"])
    assert after is not None
    assert after[0]


async def test_a_page_of_large_dead_tasks_ends_where_the_next_one_begins() -> None:
    fakes = Fakes()
    task = a_dead_task()
    many = [
        task._replace(
            task_id=f"task-{number:04}",
            error={"type": "E", "message": "\x01" * LONGEST, "traceback": "\x01" * LONGEST},
        )
        for number in range(1000)
    ]
    page = DeadPage(total=2000, groups=[], tasks=many, next_cursor="1.task-0999")

    async def dead(*_: Any, **__: Any) -> DeadPage:
        return page

    fakes.page = dead  # type: ignore[method-assign]
    told, size = await get(fakes, "/tasks/dead?limit=1000")
    assert size < MOST_BYTES + 1000
    assert 200 < len(told["tasks"]) < 1000
    assert told["total"] == 2000
    assert told["next_cursor"] == f"{micros(NOW)}.{told['tasks'][-1]['task_id']}"


async def test_a_page_of_large_parked_messages_ends_where_the_next_one_begins() -> None:
    fakes = Fakes()
    many = [replace(parked(1000 - number, b"x"), reason="r" * 50_000) for number in range(200)]

    async def listed(**_: Any) -> ParkedPage:
        return ParkedPage(messages=many, total=200, dropped=0, following=None)

    fakes.browsing.parked = listed  # type: ignore[method-assign]
    told, size = await get(fakes, "/parked")
    assert size < MOST_BYTES + 1000
    assert 50 < told["count"] == len(told["parked"]) < 200
    assert cursors.PARKED.read(told["next_cursor"]) == told["parked"][-1]["position"]


async def test_a_page_of_large_schedules_ends_where_the_next_one_begins() -> None:
    fakes = Fakes()
    services = fakes.services()
    for number in range(60):
        kept = await services.schedules.create(a_schedule(f"s-{number:02}", "t" * 200_000))
        assert kept.next_at is not None
    async with over(create_app(services)) as http:
        told = (await http.get("/schedules?limit=50")).json()
        further = (await http.get(f"/schedules?limit=50&cursor={told['next_cursor']}")).json()
    assert 10 < told["count"] < 50
    assert told["next_cursor"] == told["schedules"][-1]["schedule_id"]
    assert further["schedules"][0]["schedule_id"] > told["next_cursor"]


async def test_a_page_of_a_long_timeline_ends_where_the_next_one_begins() -> None:
    fakes = many_tasks(1)
    events = [
        TimelineEntry(
            position=number,
            event_id=f"e{number}",
            type="task.failed",
            time=NOW,
            generation=1,
            attempt=number,
            agent_id="ada",
            details={"error": {"type": "E", "message": LONG}},
        )
        for number in range(1, 201)
    ]

    async def timeline(*_: Any, **__: Any) -> TaskTimeline:
        return TaskTimeline(events=events, following=None)

    fakes.browsing.timeline = timeline  # type: ignore[method-assign]
    told, size = await get(fakes, "/tasks/task-0000/events")
    assert size < MOST_BYTES + 1000
    assert 50 < told["count"] == len(told["events"]) < 200
    assert cursors.EVENTS.read(told["next_cursor"]) == told["events"][-1]["attempt"]


async def test_statistics_of_very_many_queues_say_how_many_are_left_out() -> None:
    fakes = Fakes()
    for number in range(200):
        source = TaskQueue(f"lane-{number:04}", Priority.NORMAL)
        fakes.book.add(source, Requirements(capabilities=tuple(WIDE["capabilities"])))
        fakes.waiting[source.queue] = Depth(1, 0)
    told, size = await get(fakes, "/tasks/queues/stats")
    assert size < MOST_BYTES + 3000
    assert len(told["queues"]) + told["left_out"] == 200
    assert told["queue_sizes"]["normal"] == 200
    fakes = Fakes()
    fakes.open("any", Priority.NORMAL, Depth(1, 0))
    assert "left_out" not in (await get(fakes, "/tasks/queues/stats"))[0]


@pytest.mark.parametrize("path", ["/tasks/task-0000", "/tasks/task-0000/wait?timeout=0"])
async def test_a_large_result_is_answered_as_the_ledger_has_it(path: str) -> None:
    text = b'{ "not": [1e2, "read \\u00e9"] }'
    fakes = many_tasks(1, result=JsonText(text), error=None, submitted_by="key:a")
    async with over(fakes.app()) as http:
        answer = await http.get(path)
        small = many_tasks(1, result={"not": [1e2, "read \u00e9"]}, submitted_by="key:a")
    told, _ = await get(small, path)
    assert text in answer.content
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["task"] == told["task"]
    assert answer.json().keys() == told.keys()
