"""What each role is offered on the pages of the dashboard, held against what the API lets it do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from coordinator.access.roles import Role
from coordinator.broker.channel import Depth
from coordinator.dashboard.actions import ACTIONS
from coordinator.domain.task import Question
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.queries.queue_statistics import QueueFigures
from tests.support.api_keys import authenticator_with

from .fakes import NOW, Fakes, a_task, an_agent
from .test_access import CALLS
from .test_dashboard import visiting

ENDPOINTS = {
    "cancel": "cancel_task",
    "retry": "retry_task",
    "edit-and-redrive": "retry_task",
    "delete": "delete_task",
    "answer": "answer_task",
    "redrive": "redrive_dead_tasks",
    "retry-selected": "retry_task",
    "drain": "drain_agent",
    "remove-agent": "remove_agent",
    "clear": "clear_queue",
    "retire-lane": "retire_lane",
    "create-schedule": "create_schedule",
    "edit-schedule": "edit_schedule",
    "run-schedule": "run_schedule",
    "pause-schedule": "pause_schedule",
    "resume-schedule": "resume_schedule",
    "delete-schedule": "delete_schedule",
}
"""By the action of a form, the endpoint that it ends at."""

HOLDERS = {role.value: (role,) for role in (Role.READER, Role.PRODUCER, Role.OPERATOR, Role.ADMIN)}

SENT = {
    "task_id": "asking",
    "agent_id": "ada",
    "priority": "low",
    "lane": "cap:left",
    "schedule_id": "nightly",
    "cron": "0 4 * * *",
    "task_data": "{}",
    "answer": "yes",
}
"""Has a value for each field that an action needs."""

PAGES = (
    *("/", "/tasks", "/tasks/asking", "/tasks/died", "/agents", "/queues", "/dead"),
    *("/schedules", "/questions", "/parked", "/health"),
)


class Offers(HTMLParser):
    """Finds the buttons that send a form, and those that open a dialog with one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._dialog: str | None = None
        self._action: str | None = None
        self._senders: list[tuple[str | None, str, dict[str, str | None]]] = []
        self._openers: dict[str, dict[str, str | None]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "dialog":
            self._dialog = has["id"]
        elif tag == "form":
            self._action = has.get("action")
        elif tag == "button" and "data-opens" in has:
            self._openers[str(has["data-opens"])] = has
        elif tag == "button" and "/do/" in (self._action or "") and "type" not in has:
            name = str(self._action).rpartition("/do/")[2]
            self._senders.append((self._dialog, name, has))

    def handle_endtag(self, tag: str) -> None:
        if tag == "dialog":
            self._dialog = None
        elif tag == "form":
            self._action = None

    def buttons(self) -> Mapping[str, list[dict[str, str | None]]]:
        """By action, each button that somebody can press first."""
        found = defaultdict(list)
        for dialog, name, button in self._senders:
            first = button if dialog is None else self._openers.get(dialog)
            if first is not None:
                found[name].append(first)
        return found


def have_one_of_everything(fakes: Fakes) -> None:
    """But for schedules, which are made over the API."""
    question = Question("1", {"choices": ["yes"]}, 1, "ada", NOW)
    own: dict[str, Any] = {"submitted_by": "key:producer"}
    fakes.tasks = fakes.browsing._tasks = {
        "asking": a_task(task_id="asking", state="input_required", question=question, **own),
        "died": a_task(task_id="died", state="dead", **own),
    }
    fakes.agents = fakes.browsing._agents = {"ada": an_agent(agent_id="ada")}
    fakes.open("cap:left", Priority.LOW, Depth(1, 0))
    waits = QueueFigures(listening=0, oldest=timedelta(seconds=3))
    fakes.in_line = {TaskQueue("cap:left", Priority.LOW): waits}


async def offered_and_done(role: str) -> tuple[Mapping[str, set[bool]], dict[str, bool], set[str]]:
    """Of each action whether its buttons are enabled, and whether it is done all the same where it is sent;
    and what disabled buttons say.
    """
    authenticator, secrets = await authenticator_with(**HOLDERS)
    offered = defaultdict[str, set[bool]](set)
    reasons = set[str]()
    done = dict[str, bool]()
    fakes = Fakes()
    have_one_of_everything(fakes)
    async with visiting(fakes, authenticator=authenticator) as http:
        await _make_schedules(http, secrets["operator"])
        await http.post("/dashboard/sign-in", data={"key": secrets[role]})
        for path in PAGES:
            page = await http.get(f"/dashboard{path}")
            for name, buttons in Offers(page.text).buttons().items():
                counted = [one for one in buttons if one.get("title") != "Nothing waits here"]
                offered[name] |= {"disabled" not in one for one in counted}
                reasons |= {str(one["title"]) for one in counted if "disabled" in one}
        for name in ACTIONS:
            have_one_of_everything(fakes)
            new = {"schedule_id": "new"} if name == "create-schedule" else {}
            answer = await http.post(f"/dashboard/do/{name}", data={**SENT, **new})
            assert answer.status_code in {200, 403}, (name, answer.text)
            done[name] = answer.status_code == 200
    return offered, done, reasons


async def _make_schedules(http: httpx.AsyncClient, secret: str) -> None:
    for name in ("nightly", "paused"):
        made: dict[str, Any] = {"schedule_id": name, "cron": "0 3 * * *", "task": {"task_data": {}}}
        told = await http.post("/schedules", json=made, headers={"X-API-Key": secret})
        assert told.status_code == 200, told.text
    told = await http.post("/schedules/paused/pause", headers={"X-API-Key": secret})
    assert told.status_code == 200, told.text


def test_each_action_is_held_against_an_endpoint() -> None:
    assert set(ENDPOINTS) == set(ACTIONS)


@pytest.mark.parametrize("role", HOLDERS)
async def test_pages_offer_a_role_what_the_service_lets_it_do_and_nothing_else(role: str) -> None:
    offered, done, reasons = await offered_and_done(role)
    assert done == {name: role in CALLS[ENDPOINTS[name]][3] for name in ACTIONS}
    for name, allowed in done.items():
        assert offered[name] == {True} if allowed else True not in offered[name], name
    assert {reason.partition(" the role ")[0] for reason in reasons} <= {"This needs"}
