"""The metrics of several processes are one page, on a listener of its own, and no counter goes back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import agent_process, client, ready, service
from tests.e2e.test_projecting_process import children_of
from tests.support.broker import Broker
from tests.support.scraping import Scraped, scrape
from tests.support.waiting import eventually

METRICS = re.compile(r"metrics on (http://\S+)")
TASKS = 40


async def shows(http: httpx.AsyncClient, url: str, fact: Callable[[Scraped], bool]) -> Scraped:
    async def shown() -> Scraped | None:
        try:
            page = await scrape(http, url)
        except httpx.TransportError:  # of a connection to a process that was killed
            return None
        return page if fact(page) else None

    return await eventually(shown, timeout=60)


@pytest.mark.slow
@pytest.mark.any_broker
async def test_whichever_process_dies_the_sum_goes_on_from_where_it_was(
    broker: Broker, tmp_path: Path
) -> None:
    environment = {
        "COORDINATOR_HTTP_WORKERS": "2",
        "COORDINATOR_PROJECTOR": "own",
        "COORDINATOR_METRICS_PORT": "0",
    }
    async with (
        service(broker.url, tmp_path, environment=environment) as (parent, url),
        client(url) as http,
        agent_process(broker.url, tmp_path / "ada.out", "ada", slots=8),
    ):
        page_url = (await parent.prints(METRICS))[1]
        await ready(http)
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get(page_url.removesuffix("metrics"))).status_code == 404

        async def submit() -> None:
            # A connection of its own, so that both workers have some.
            async with httpx.AsyncClient(base_url=url) as one:
                answer = await one.post("/tasks/submit", json={"task_data": {}})
                assert answer.status_code == 200, answer.text

        async def all_done(number: int) -> Scraped:
            return await shows(
                http,
                page_url,
                lambda page: (
                    page.total("tasks_submitted_total") == number
                    and page.total("tasks_ended_total", state="completed") == number
                ),
            )

        await asyncio.gather(*(submit() for _ in range(TASKS)))
        before = await all_done(TASKS)
        assert before.by("process", "process_open_fds").keys() == {
            "projecting",
            "worker-1",
            "worker-2",
        }
        started = before.by("process", "process_start_time_seconds")
        # All of it was shown on a page, so none of it is lost.
        for pid in children_of(parent.pid):
            os.kill(pid, signal.SIGKILL)
        after = await shows(
            http,
            page_url,
            lambda page: all(
                page.by("process", "process_start_time_seconds").get(name, 0) > then
                for name, then in started.items()
            ),
        )
        assert after.total("tasks_submitted_total") == TASKS
        assert after.total("tasks_ended_total") == TASKS
        assert after.total("task_start_seconds_count") == TASKS
        await ready(http)
        await submit()
        await all_done(TASKS + 1)


@pytest.mark.any_broker
async def test_a_port_that_is_taken_is_told_with_the_setting_that_names_it(
    broker: Broker, tmp_path: Path
) -> None:
    async with service(broker.url, tmp_path) as (_, url):
        port = url.rpartition(":")[2]
        with pytest.raises(AssertionError, match=f"Port {port} is taken.*COORDINATOR_METRICS_PORT"):
            async with service(
                broker.url, tmp_path / "other", environment={"COORDINATOR_METRICS_PORT": port}
            ):
                pass
