"""Who had an earlier attempt of a task, and has its token, ends no later one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coordinator.protocol.ids import new_id
from tests.support.broker import Broker
from tests.support.broker_users import Account, broker_account
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

from .actors import event, publishing

FENCE = ("task_id", "generation", "attempt")
ERROR = {"type": "E", "message": "no"}


async def taken(service: Service) -> dict[str, Any]:
    """The next message of the queue, as it says: whoever has it may speak of its attempt."""
    link = await service.coordinator.publisher._connection.opened()
    channel = await link.channel()
    delivery = await eventually(lambda: channel.get("tasks.any.normal"))
    await delivery.ack()
    found: dict[str, Any] = json.loads(delivery.message.body)
    return found


async def test_an_earlier_attempts_token_ends_no_later_attempt(
    broker: Broker, tmp_path: Path
) -> None:
    first, second = (f"{name}-{new_id()[-12:]}" for name in ("mallory", "ada"))
    async with (
        broker_account(broker, Account(name=first)) as first_url,
        broker_account(broker, Account(name=second)) as second_url,
        serving(broker, tmp_path, require_identity=True) as service,
        publishing(first_url, first) as mallory,
        publishing(second_url, second) as ada,
    ):
        task_id = await service.submit()
        old = await taken(service)
        proof = {"agent_id": first, "task_token": old["task_token"]}
        fence = {name: old[name] for name in FENCE}
        failure = {"error": ERROR, "retryable": True}
        await mallory.send(event("task.failed", first, **fence, **proof, **failure))

        new = await taken(service)
        assert (new["task_id"], new["attempt"]) == (task_id, 2)
        told = {name: new[name] for name in FENCE} | {"agent_id": second}
        told["task_token"] = new["task_token"]
        await ada.send(event("task.started", second, **told))
        running = await service.becomes(task_id, "running")

        final = {"error": ERROR, "retryable": False}
        for said in (
            {"attempt": 1},
            {"attempt": 2},
            {"attempt": 2, "crashes": 1},
            {"attempt": 3, "crashes": 2},
        ):
            about = fence | said | proof
            await mallory.send(event("task.completed", first, **about, result="mine"))
            await mallory.send(event("task.failed", first, **about, **final))
            await mallory.send(event("task.declined", first, **about))
            await mallory.send(event("task.started", first, **about))
            await mallory.send(event("task.progress", first, **about, fraction=0.9))
        await service.coordinator.registry.settle()
        assert await service.task(task_id) == running

        await ada.send(event("task.completed", second, **told, result="done"))
        ended = await service.ends(task_id)
        assert (ended["state"], ended["result"], ended["agent_id"]) == ("completed", "done", second)
        assert ended["attempt"] == 2


async def test_a_result_that_comes_late_is_kept_while_nobody_has_begun_the_next_attempt(
    broker: Broker, tmp_path: Path
) -> None:
    ada = f"ada-{new_id()[-12:]}"
    async with (
        broker_account(broker, Account(name=ada)) as url,
        serving(broker, tmp_path, require_identity=True) as service,
        publishing(url, ada) as agent,
    ):
        task_id = await service.submit()
        old = await taken(service)
        proof = {"agent_id": ada, "task_token": old["task_token"]}
        about = {name: old[name] for name in FENCE} | proof
        await agent.send(event("task.failed", ada, **about, error=ERROR, retryable=True))
        new = await taken(service)
        assert (new["task_id"], new["attempt"]) == (task_id, 2)

        await agent.send(event("task.completed", ada, **about, result="late"))

        ended = await service.ends(task_id)
        assert (ended["state"], ended["result"], ended["attempt"]) == ("completed", "late", 1)
