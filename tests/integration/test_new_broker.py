"""The machine's RabbitMQ was replaced by one that cannot read the private node's folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from consumers import Agent, Task
from coordinator.bootstrap import running
from coordinator.commands.private_node_start import start_private_node
from coordinator.errors import OperatorError, OtherVersionsData
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.rabbitmq_node.installed_server import InstalledServer
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.sources import broker_sources
from tests.support.waiting import eventually

SOURCES = [one for one in broker_sources() if one.server is not None]
OLD = [one for one in SOURCES if one.label < "rabbitmq-3.12"]

pytestmark = pytest.mark.skipif(
    len(SOURCES) < 2 or not OLD, reason="needs the servers of RabbitMQ 3.10 and of a later one"
)


@pytest.fixture
def old() -> InstalledServer:
    assert OLD[0].server is not None
    return OLD[0].server


@pytest.fixture
def new() -> InstalledServer:
    assert SOURCES[-1].server is not None
    return SOURCES[-1].server


@asynccontextmanager
async def service(settings: Settings, node: EmbeddedNode) -> AsyncIterator[httpx.AsyncClient]:
    with_url = settings.model_copy(update={"amqp_url": node.amqp_url})
    async with running(with_url) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        yield http
        # What was accepted is in the ledger then, and not in the log alone.
        await coordinator.registry.settle()


async def submit(http: httpx.AsyncClient, **more: object) -> str:
    answer = await http.post("/tasks/submit", json={"task_data": {}, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


async def state(http: httpx.AsyncClient, task_id: str) -> str:
    answer = await http.get(f"/tasks/{task_id}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task"]["state"])


@pytest.mark.slow
async def test_with_a_new_broker_every_queued_task_of_the_old_one_is_done_once(
    old: InstalledServer, new: InstalledServer, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    folder = tmp_path / "rabbitmq"
    async with EmbeddedNode(folder, server=old, standard_ports=False) as node:
        url = node.amqp_url
        async with service(settings, node) as http:
            tasks = [await submit(http, priority=name) for name in ("low", "normal", "urgent")]
            tasks.append(await submit(http, requirements={"capabilities": ["gpu"]}))
            tasks.append(await submit(http, delay_seconds=1))
            for task_id in tasks[:4]:
                await eventually(partial(is_queued, http, task_id))

    with pytest.raises(OtherVersionsData) as told:
        await start_private_node(settings, lambda _: None, server=new)
    assert "coordinator up --new-broker" in str(told.value)
    assert "\n" not in str(told.value)

    said: list[str] = []
    runs: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        node = await start_private_node(settings, said.append, new=True, server=new)
        await stack.enter_async_context(node)
        assert node.amqp_url == url  # agents that know the old one find it
        aside = moved_aside(tmp_path)
        assert any(str(aside) in line for line in said)
        http = await stack.enter_async_context(service(settings, node))
        agent = Agent("ada", amqp_url=url, cache_dir=tmp_path / "ada", capabilities=["gpu"])

        @agent.default
        async def work(task: Task) -> None:
            runs[task.id] += 1

        await stack.enter_async_context(agent.running())
        tasks.append(await submit(http))
        for task_id in tasks:
            await eventually(partial(is_completed, http, task_id), timeout=60)
    assert runs == Counter(tasks)

    with pytest.raises(OperatorError, match="start without --new-broker"):
        await start_private_node(settings, said.append, new=True, server=new)


@pytest.mark.slow
async def test_where_the_folder_was_moved_away_already_its_queued_tasks_are_done_as_well(
    new: InstalledServer, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    folder = tmp_path / "rabbitmq"
    async with (
        EmbeddedNode(folder, server=new, standard_ports=False) as node,
        service(settings, node) as http,
    ):
        task_id = await submit(http)
        await eventually(lambda: is_queued(http, task_id))
    folder.rename(tmp_path / "moved")
    async with (
        await start_private_node(settings, lambda _: None, new=True, server=new) as node,
        service(settings, node) as http,
    ):
        agent = Agent("ada", amqp_url=node.amqp_url, cache_dir=tmp_path / "ada")
        agent.default(lambda task: task.id)
        async with agent.running():
            await eventually(lambda: is_completed(http, task_id), timeout=60)


@pytest.mark.slow
async def test_where_the_old_version_is_back_with_its_folder_each_task_is_done_once(
    old: InstalledServer, new: InstalledServer, tmp_path: Path
) -> None:
    """A new node was begun, and somebody has thought better of it."""
    settings = Settings(data_dir=tmp_path)
    folder = tmp_path / "rabbitmq"
    async with (
        EmbeddedNode(folder, server=old, standard_ports=False) as node,
        service(settings, node) as http,
    ):
        tasks = [await submit(http) for _ in range(2)]
        for task_id in tasks:
            await eventually(partial(is_queued, http, task_id))
    async with await start_private_node(settings, lambda _: None, new=True, server=new):
        pass  # killed before the first task was put there
    aside = moved_aside(tmp_path)
    folder.rename(tmp_path / "new")
    aside.rename(folder)

    runs: Counter[str] = Counter()
    async with (
        await start_private_node(settings, lambda _: None, server=old) as node,
        service(settings, node) as http,
    ):
        agent = Agent("ada", amqp_url=node.amqp_url, cache_dir=tmp_path / "ada")

        @agent.default
        async def work(task: Task) -> None:
            runs[task.id] += 1

        await eventually(partial(nothing_is_left_behind, settings))
        async with agent.running():
            for task_id in tasks:
                await eventually(partial(is_completed, http, task_id), timeout=60)
        # Whatever was put there once more would be in the log by now.
        for task_id in tasks:
            answer = (await http.get(f"/tasks/{task_id}/events")).json()
            assert [one["type"] for one in answer["events"]].count("task.submitted") == 1
    assert runs == Counter(tasks)


async def nothing_is_left_behind(settings: Settings) -> bool:
    async with Ledger(settings.ledger_place) as ledger:
        return not await FormerBrokerTasks(ledger).any_broker()


def moved_aside(data_dir: Path) -> Path:
    (aside,) = data_dir.glob("rabbitmq-until-*")
    assert (aside / "mnesia").is_dir()
    return aside


async def is_queued(http: httpx.AsyncClient, task_id: str) -> bool:
    return await state(http, task_id) == "queued"


async def is_completed(http: httpx.AsyncClient, task_id: str) -> bool:
    return await state(http, task_id) == "completed"
