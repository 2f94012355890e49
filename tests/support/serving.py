"""The whole service in the test's own process, with one client and as many agents as a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from consumers import Agent
from coordinator.bootstrap import Coordinator, Replacements, running
from coordinator.bootstrap.replacements import Duty
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.task_message import Backoff, TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import LOG, TASKS
from coordinator.registry.ledger.ledger import Ledger
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

__all__ = ["SECRET", "Service", "serving"]

SECRET = "a secret of the tests"
QUICK = Backoff(first_seconds=0.1)


@dataclass
class Service:
    """A coordinator, one client of it and the address of what it uses."""

    coordinator: Coordinator
    http: httpx.AsyncClient
    broker: Broker
    folder: Path

    def agent(self, agent_id: str = "ada", **options: Any) -> Agent:
        return Agent(
            agent_id, amqp_url=self.broker.url, cache_dir=self.folder / agent_id, **options
        )

    async def submit(self, *, log_alone: bool = False, **fields: Any) -> str:
        """A task with whatever a task message can have."""
        task_id = new_id()
        given: dict[str, Any] = {
            "task_id": task_id,
            "task_data": {},
            "priority": Priority.NORMAL,
            "submitted_at": datetime.now(UTC),
            "max_attempts": 3,
            "backoff": QUICK,
        }
        given |= fields
        generation, attempt = given.get("generation", 1), given.get("attempt", 1)
        token = task_token(SECRET.encode(), given["task_id"], generation, attempt)
        task = TaskMessage(**({"task_token": token} | given))
        await self.coordinator.opener.ensure(task.source, task.wanted)
        exchange, key = ("", LOG) if log_alone else (TASKS, task.source.key)
        await self.coordinator.publisher.publish(task.to_message(), exchange=exchange, key=key)
        self.coordinator.registry.note_submitted(task)
        return task_id

    async def task(self, task_id: str) -> dict[str, Any]:
        return await eventually(lambda: self.told(task_id))

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(path, json=body or None)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def dead(self, **filters: Any) -> dict[str, Any]:
        answer = await self.http.get("/tasks/dead", params=filters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def dead_ids(self, **filters: Any) -> list[str]:
        """Over all pages."""
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.dead(**filters, **cursor)
            found += [task["task_id"] for task in page["tasks"]]
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def told(self, task_id: str) -> dict[str, Any] | None:
        """None where the answer is to ask again shortly, as on a busy machine it may be."""
        answer = await self.http.get(f"/tasks/{task_id}")
        if answer.status_code == 503 and "Retry-After" in answer.headers:
            return None
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["task"]
        return found

    async def ends(self, task_id: str) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            task = await self.told(task_id)
            return task if task and task["ended_at"] else None

        return await eventually(ended)

    async def all_end(self, task_ids: Iterable[str]) -> list[dict[str, Any]]:
        """One is asked for after another: many who ask at once leave no time to those who do the work, in
        this same process.
        """
        return [await self.ends(task_id) for task_id in task_ids]

    async def becomes(self, task_id: str, state: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            task = await self.told(task_id)
            return task if task and task["state"] == state else None

        return await eventually(there)

    async def stored(self, query: sa.Select[Any]) -> list[Any]:
        """Asked of the ledger itself."""
        async with Ledger(f"sqlite:///{self.folder / 'ledger.sqlite3'}") as ledger:
            return list(await ledger.read(lambda connection: connection.execute(query).all()))


@asynccontextmanager
async def serving(
    broker: Broker,
    folder: Path,
    *,
    replacements: Replacements | None = None,
    apart: bool = False,
    **settings: Any,
) -> AsyncIterator[Service]:
    """Yields once tasks can be submitted. With ``apart`` the log is folded by another coordinator than that
    which answers, as it is where the projector has a process of its own.
    """
    given = Settings(amqp_url=broker.url, data_dir=folder, secret=SECRET, **settings)
    replacements = replacements or Replacements()
    async with AsyncExitStack() as stack:
        if apart:
            await stack.enter_async_context(running(given, duty=Duty.PROJECTING))
        duty = Duty.SERVING if apart else Duty.ALL
        coordinator = await stack.enter_async_context(running(given, replacements, duty=duty))
        http = await stack.enter_async_context(over(coordinator.app))
        await coordinator.ready()
        yield Service(coordinator, http, broker, folder)
