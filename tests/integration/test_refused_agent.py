"""An agent whose words the broker does not take for lack of a permission: seen by others, told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from consumers import Task
from coordinator.protocol.messages.events import AgentHeartbeat
from coordinator.protocol.topology import EVENTS
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


@pytest.fixture
async def ada(broker: Broker) -> AsyncIterator[str]:
    """The broker's address for a user of the test's own, whose name it is."""
    user = f"ada-{broker.vhost}"
    await broker.management.put("users", user, body={"password": "secret", "tags": ""})
    await broker.management.put("permissions", broker.vhost, user, body=EVERYTHING)
    parts = urlsplit(broker.url)
    login = f"{quote(user, safe='')}:secret@{parts.hostname}:{parts.port}"
    yield urlunsplit(parts._replace(netloc=login))
    await broker.management.delete("users", user)


@pytest.mark.slow
async def test_an_agent_that_may_not_tell_of_its_tasks_says_so_and_goes_on_when_it_may(
    broker: Broker, ada: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    user = urlsplit(ada).username or ""
    of_itself = r"^agent\.ada\.(heartbeat|register)$"
    only_of_itself = {"exchange": EVENTS, "write": of_itself, "read": ".*"}
    async with Field(broker.url, tmp_path) as field:
        await field.open(NORMAL)
        # Once the exchange is there: RabbitMQ 4.3 refuses topic permissions for one that is not.
        await broker.management.put("topic-permissions", broker.vhost, user, body=only_of_itself)
        agent = field.agent("ada")
        agent.configure(amqp_url=ada)

        @agent.default
        async def work(task: Task) -> str:
            return "done"

        def told(status: str) -> bool:
            beats = field.heard(AgentHeartbeat)
            return bool(beats) and beats[-1].status == status

        async with agent.running():
            await eventually(lambda: told("active"))
            task_id = await field.submit(NORMAL)
            await eventually(lambda: told("degraded"), timeout=60)
            await broker.management.delete("topic-permissions", broker.vhost, user)
            await field.all_ended([task_id])
            await eventually(lambda: told("active"), timeout=60)
    missing = [one for one in caplog.messages if "lacks the topic permission to write" in one]
    assert len(missing) == 1
    assert EVENTS in missing[0]
