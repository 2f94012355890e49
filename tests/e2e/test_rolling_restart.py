"""The service is restarted while producers submit, and none of their requests is refused."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.activation import ServiceManager
from tests.e2e.processes import client
from tests.e2e.steady_producers import SteadyProducers
from tests.support.broker import Broker
from tests.support.waiting import eventually


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    manager = ServiceManager(tmp_path)
    with manager.socket:
        yield manager


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_one_service_takes_over_from_another_on_the_same_socket(
    broker: Broker, manager: ServiceManager, options: tuple[str, ...]
) -> None:
    producers = SteadyProducers(manager.base_url)
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(manager.service(broker.url, *options))
        async with producers.submitting():
            for _ in range(2):
                await producers.more()
                following = await stack.enter_async_context(manager.service(broker.url, *options))
                running.signal(signal.SIGTERM)
                assert await running.wait() == 0
                await producers.more()
                running = following
        assert producers.refused == []
        await producers.all_known()


async def test_a_service_with_the_socket_of_the_service_manager_is_restarted(
    broker: Broker, manager: ServiceManager
) -> None:
    producers = SteadyProducers(manager.base_url)
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(manager.service(broker.url))
        async with producers.submitting():
            for _ in range(2):
                await producers.more()
                running.signal(signal.SIGTERM)
                assert await running.wait() == 0
                running = await stack.enter_async_context(manager.service(broker.url))
        assert producers.refused == []
        await producers.all_known()


async def test_a_service_that_drains_takes_tasks_and_tells_balancers_to_ask_others(
    broker: Broker, manager: ServiceManager
) -> None:
    async with (
        manager.service(broker.url, drain_seconds=600) as running,
        client(manager.base_url) as http,
    ):
        assert (await http.get("/health/ready")).status_code == 200
        running.signal(signal.SIGTERM)

        async def leaving() -> bool:
            return (await http.get("/health/ready")).status_code == 503

        await eventually(leaving, timeout=30)
        answer = await http.get("/health/ready")
        assert "about to stop" in answer.json()["detail"]
        answer = await http.post("/tasks/submit", json={"task_data": {}})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        running.signal(signal.SIGTERM)  # a second one does not wait
        assert await running.wait() == 128 + signal.SIGTERM


async def test_a_socket_that_others_reach_is_not_served_to_everybody(
    broker: Broker, tmp_path: Path
) -> None:
    manager = ServiceManager(tmp_path, "0.0.0.0")
    with manager.socket, pytest.raises(AssertionError, match=r"COORDINATOR_AUTH is off"):
        async with manager.service(broker.url):
            pass
