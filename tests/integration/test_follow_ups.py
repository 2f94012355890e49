"""A handler submits follow-up tasks on a real broker, whoever is lost on the way."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, SubmissionRefused, Task
from consumers.agent_timings import AgentTimings, Backoff
from coordinator.access.roles import Role
from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_requests.follow_up import (
    FollowUpRequest,
    follow_up_id,
    follow_up_key,
)
from coordinator.protocol.task_token import task_token
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from tests.e2e.processes import spawned
from tests.integration.test_agent_requests import a_queue, plain_agent
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import SECRET, Service, serving
from tests.support.waiting import eventually

SOON = AgentTimings(
    registration_timeout=timedelta(seconds=1),
    registration_backoff=Backoff(timedelta(seconds=0.1), timedelta(seconds=0.5)),
)

KILLED = """
import os
import signal
import sys
from consumers import Agent

agent = Agent("first")


@agent.task("order")
async def order(task):
    await task.submit({"task_type": "mail"}, key="mail")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def with_handlers(agent: Agent) -> Agent:
    """It sends a mail after each order."""
    agent.configure(timings=SOON)

    @agent.task("order")
    async def order(task: Task) -> dict[str, Any]:
        mail = await task.submit({"task_type": "mail", "to": task.data["to"]}, priority="high")
        return {"mail": mail.id}

    @agent.task("mail")
    def mail(task: Task) -> str:
        return f"sent to {task.data['to']}"

    return agent


async def ordered(service: Service, **body: Any) -> str:
    answer = await service.post(
        "/tasks/submit", task_data={"task_type": "order", "to": "Ann"}, **body
    )
    return str(answer["task_id"])


async def all_tasks(service: Service) -> list[str]:
    return [one["task_id"] for one in (await service.http.get("/tasks")).json()["tasks"]]


async def test_a_follow_up_task_is_done_as_any_other(broker: Broker, tmp_path: Path) -> None:
    async with (
        serving(broker, tmp_path) as service,
        with_handlers(service.agent(slots=2)).running(),
    ):
        order_id = await ordered(service)
        mail = (await service.ends(order_id))["result"]["mail"]
        done = await service.ends(mail)
        assert (done["result"], done["priority"]) == ("sent to Ann", "high")
        assert (done["parent_id"], (await service.task(order_id))["parent_id"]) == (order_id, None)
        listed = (await service.http.get("/tasks", params={"parent_id": order_id})).json()["tasks"]
        assert [(one["task_id"], one["parent_id"]) for one in listed] == [(mail, order_id)]


async def test_a_user_that_may_do_as_little_as_agents_need_submits_where_identity_is_required(
    broker: Broker, tmp_path: Path
) -> None:
    grant = AgentGrant(agent_id=f"ada-{new_id()[-12:]}")
    async with (
        account_of(broker, grant) as [url],
        serving(broker, tmp_path, require_identity=True) as service,
    ):
        agent = with_handlers(service.agent(grant.agent_id, slots=2))
        agent.configure(amqp_url=url)
        async with agent.running():
            mail = (await service.ends(await ordered(service)))["result"]["mail"]
            assert (await service.ends(mail))["result"] == "sent to Ann"


@pytest.mark.any_broker
async def test_it_is_a_task_of_whoever_submitted_the_parent_and_in_that_callers_quota(
    broker: Broker, tmp_path: Path, ledger_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"database_url": ledger_url, "auth": "required"}
    async with (
        serving(broker, tmp_path, max_callers_tasks=2, **settings) as service,
        Ledger(ledger_url) as ledger,
    ):
        secret = await ApiKeys(ledger).create("shop", [Role.PRODUCER])
        service.http.headers["Authorization"] = f"Bearer {secret}"
        agent = service.agent()

        @agent.task("order")
        async def order(task: Task) -> dict[str, Any]:
            first = await task.submit({"task_type": "mail"}, delay_seconds=600)
            try:
                await task.submit({"task_type": "mail"}, delay_seconds=600)
            except SubmissionRefused as refused:
                return {"mail": first.id, "why": str(refused), "later": refused.retry_after}
            return {}

        async with agent.running():
            order_id = await eventually(lambda: accepted(service))
            result = (await service.ends(order_id))["result"]
        # Of what came since the last count, some may be in it already: never fewer than there are.
        assert re.search(r"^([2-9]) tasks of this caller .* it may have 2:", result["why"])
        assert result["later"] > 0
        assert (await service.task(result["mail"]))["submitted_by"] == "key:shop"
    told = [
        json.loads(line)
        for record in caplog.records
        if record.name == "coordinator.audit"
        for line in record.getMessage().splitlines()
    ]
    [line] = [one for one in told if one["action"] == "submit_follow_up"]
    assert (line["actor"], line["parent_id"]) == ("agent:ada", order_id)
    assert (line["task_id"], line["submitted_by"]) == (result["mail"], "key:shop")


async def accepted(service: Service) -> str | None:
    """Of the order, once the new key counts."""
    answer = await service.http.post("/tasks/submit", json={"task_data": {"task_type": "order"}})
    return str(answer.json()["task_id"]) if answer.status_code == 200 else None


async def test_the_handler_is_told_why_it_is_refused(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.task("order")
        def order(task: Task) -> str:
            try:
                task.submit({}, max_attempts=1000)
            except SubmissionRefused as refused:
                return str(refused)
            return "accepted"

        async with agent.running():
            assert "max_attempts" in (await service.ends(await ordered(service)))["result"]


async def test_what_is_cancelled_takes_the_follow_up_tasks_with_it_that_asked_for_it(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    async with serving(broker, tmp_path, database_url=ledger_url) as service:
        agent = service.agent(slots=4)

        @agent.task("order")
        async def order(task: Task) -> None:
            """It waits for what it has submitted, as that does in turn, and for ever."""
            depth = task.data["depth"]
            if depth:
                below = {"task_type": "order", "depth": depth - 1}
                await task.submit(
                    below, key="below", cancel_with_parent=True, delay_seconds=600 * (depth == 1)
                )
                await task.submit({"task_type": "order", "depth": 0}, key="free", delay_seconds=600)
            await asyncio.Event().wait()

        async with agent.running():
            data = {"task_type": "order", "depth": 2}
            top = (await service.post("/tasks/submit", task_data=data))["task_id"]
            below = follow_up_id(top, 1, "=below")
            lowest = follow_up_id(below, 1, "=below")
            await eventually(lambda: is_there(service, follow_up_id(below, 1, "=free")))
            await service.post(f"/tasks/{top}/cancel")
            for task_id in (below, lowest):
                ended = await service.ends(task_id)
                assert ended["state"] == "cancelled"
                assert ended["parent_id"] in ended["error"]["message"]
            for parent_id in (top, below):
                free = await service.task(follow_up_id(parent_id, 1, "=free"))
                assert free["state"] == "scheduled"
            events = (await service.http.get(f"/tasks/{lowest}/events")).json()["events"]
            assert events[-1]["details"]["reason"] == "with-parent"


async def test_a_follow_up_task_that_died_is_sent_round_again_as_its_parents_and_ends_with_it(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    async with serving(broker, tmp_path, database_url=ledger_url) as service:
        agent = service.agent(slots=2)

        @agent.task("order")
        async def order(task: Task) -> None:
            await task.submit(
                {"task_type": "mail"}, key="mail", cancel_with_parent=True, max_attempts=1
            )
            await asyncio.Event().wait()

        @agent.task("mail")
        async def mail(task: Task) -> None:
            if task.data.get("to") is None:
                raise ValueError("to whom?")
            await asyncio.Event().wait()

        async with agent.running():
            order_id = (await service.post("/tasks/submit", task_data={"task_type": "order"}))[
                "task_id"
            ]
            mail_id = follow_up_id(order_id, 1, "=mail")
            await eventually(lambda: is_there(service, mail_id))
            assert (await service.ends(mail_id))["state"] == "dead"
            await service.post(
                f"/tasks/{mail_id}/retry", task_data={"task_type": "mail", "to": "Ann"}
            )
            again = await eventually(lambda: running(service, mail_id))
            assert (again["generation"], again["parent_id"]) == (2, order_id)
            await service.post(f"/tasks/{order_id}/cancel")
            assert (await service.ends(mail_id))["state"] == "cancelled"


async def running(service: Service, task_id: str) -> dict[str, Any] | None:
    task = await service.task(task_id)
    return task if task["state"] == "running" else None


async def is_there(service: Service, task_id: str) -> bool:
    return (await service.http.get(f"/tasks/{task_id}")).status_code == 200


async def test_a_handler_waits_for_a_coordinator_and_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        service = await first.enter_async_context(serving(broker, tmp_path))
        agent = Agent("ada", amqp_url=broker.url, cache_dir=tmp_path / "ada", slots=2)
        with_handlers(agent)
        begun = tmp_path / "begun"

        @agent.task("late")
        async def late(task: Task) -> str:
            begun.touch()
            await eventually((tmp_path / "alone").exists)
            return str((await task.submit({"task_type": "mail", "to": "Bob"})).id)

        await stack.enter_async_context(agent.running())
        late_id = (await service.post("/tasks/submit", task_data={"task_type": "late"}))["task_id"]
        await eventually(begun.exists)
        await first.aclose()
        (tmp_path / "alone").touch()
        service = await stack.enter_async_context(serving(broker, tmp_path))
        mail = (await service.ends(late_id))["result"]
        assert sorted(await all_tasks(service)) == sorted([late_id, mail])
        assert (await service.ends(mail))["result"] == "sent to Bob"


async def test_an_attempt_after_one_that_was_killed_submits_the_same_task_under_its_key(
    broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    async with serving(broker, tmp_path) as service:
        order_id = await ordered(service)
        async with spawned(
            *(sys.executable, "-m", "consumers", str(tmp_path / "killed.py") + ":agent"),
            output=tmp_path / "killed.log",
            environment={"COORDINATOR_AMQP_URL": broker.url},
        ) as process:
            assert await process.wait() == -signal.SIGKILL
        agent = service.agent()

        @agent.task("order")
        async def order(task: Task) -> str:
            return str((await task.submit({"task_type": "mail"}, key="mail")).id)

        async with agent.running():
            mail = (await service.ends(order_id))["result"]
        assert mail == follow_up_id(order_id, 1, "=mail")
        assert sorted(await all_tasks(service)) == sorted([order_id, mail])


async def test_the_same_request_to_several_coordinators_at_once_is_one_task(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    async with (
        serving(broker, tmp_path, database_url=ledger_url) as service,
        serving(broker, tmp_path, database_url=ledger_url),
        plain_agent(broker) as ada,
    ):
        order_id = await ordered(service)
        queue = a_queue("ada")
        await ada.ask("agent.ada.register", {"agent_id": "ada"}, reply_to=queue)
        await eventually(lambda: ada.hears(queue))
        request = FollowUpRequest(
            task_id=order_id,
            attempt=1,
            task_token=task_token(SECRET.encode(), order_id, 1, 1),
            agent_id="ada",
            request_id="=mail",
            submission={"task_data": {"task_type": "mail"}},
        )
        key, kind = follow_up_key("ada"), "submit-task"

        async def told() -> list[dict[str, Any]]:
            """One that comes while another is at work goes unanswered, and is asked again."""
            asked = [
                ada.ask(key, request.model_dump(), reply_to=queue, kind=kind) for _ in range(8)
            ]
            await asyncio.gather(*asked)
            found = [body for name, body in ada.told if name == kind]
            return found if len(found) >= 8 else []

        replies = await eventually(told)
        mail = follow_up_id(order_id, 1, "=mail")
        assert {one["task_id"] for one in replies} == {mail}
        assert len({one["submitted_at"] for one in replies}) == 1
        events = (await service.http.get(f"/tasks/{mail}/events")).json()["events"]
        assert [one["type"] for one in events] == ["task.submitted"]


@pytest.mark.parametrize("token", ["0" * 64, ""])
async def test_who_was_not_given_a_task_submits_nothing_in_its_name(
    broker: Broker, tmp_path: Path, token: str
) -> None:
    async with serving(broker, tmp_path) as service, plain_agent(broker) as eve:
        order_id = await ordered(service)
        queue = a_queue("eve")
        await eve.ask("agent.eve.register", {"agent_id": "eve"}, reply_to=queue)
        await eventually(lambda: eve.hears(queue))
        forged = FollowUpRequest(
            task_id=order_id,
            attempt=1,
            task_token=token,
            agent_id="eve",
            request_id="1.1",
            submission={"task_data": {}},
        )
        await eve.ask(follow_up_key("eve"), forged.model_dump(), reply_to=queue, kind="submit-task")
        told = await eventually(lambda: [body for kind, body in eve.told if kind == "submit-task"])
        assert "task_token" in told[0]["error"]
        assert await all_tasks(service) == [order_id]


async def test_a_request_that_cannot_be_read_is_answered_as_one_for_a_follow_up_task(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path), plain_agent(broker) as eve:
        queue = a_queue("eve")
        await eve.ask("agent.eve.register", {"agent_id": "eve"}, reply_to=queue)
        await eventually(lambda: eve.hears(queue))
        await eve.ask(follow_up_key("eve"), {}, reply_to=queue, kind="submit-task")
        told = await eventually(lambda: [body for kind, body in eve.told if kind == "submit-task"])
        assert "agent_id" in told[0]["error"]
