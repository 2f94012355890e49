"""A coordinator is suspended between leasing a tick and publishing it, and wakes when another has published
it: it is one task.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.field import any_lane
from tests.support.waiting import eventually

QUEUE = any_lane("normal").queue
BODY = {"schedule_id": "often", "every_seconds": 1, "task": {"task_data": {}}}


@pytest.mark.slow
async def test_a_tick_that_is_published_by_two_since_one_was_suspended_is_one_task(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    given = {"COORDINATOR_DATABASE_URL": ledger_url}
    module = "tests.e2e.suspended_at"
    async with (
        service(broker.url, tmp_path / "one", environment=given) as (_, url),
        client(url) as http,
    ):
        await ready(http)  # so that this one reads the log
        started = service(broker.url, tmp_path / "two", environment=given, module=module)
        async with started as (other, _):
            assert (await http.post("/schedules", json=BODY)).status_code == 200
            found = await other.prints(re.compile(r"suspended before (\S+)\.1\.1\n"))
            tick = found[1]

            async def taken_over() -> bool:
                answer = await http.get(f"/tasks/{tick}")
                return answer.status_code == 200

            await eventually(taken_over, timeout=60)
            other.signal(signal.SIGCONT)
            await other.prints(re.compile(rf"published {tick}"))
            assert (await http.post("/schedules/often/pause")).status_code == 200

        async def ids() -> list[str]:
            tasks = (await get(http, "/tasks?limit=200"))["tasks"]
            return [task["task_id"] for task in tasks]

        async def all_there_and_one_twice() -> bool:
            return await broker.depth(QUEUE) == len(await ids()) + 1

        await eventually(all_there_and_one_twice, timeout=60)
        assert (await ids()).count(tick) == 1
        told = (await get(http, "/schedules/often"))["schedule"]
        assert told["last_task_id"] in await ids()
        assert (told["paused"], told["last_error"]) == (True, None)

        async with agent_process(broker.url, tmp_path / "agent.out", "ada"):

            async def all_done() -> bool:
                tasks = (await get(http, "/tasks?limit=200"))["tasks"]
                return all(task["state"] == "completed" for task in tasks)

            async def none_left() -> bool:
                return await broker.depth(QUEUE) == 0

            await eventually(all_done, timeout=60)
            await eventually(none_left, timeout=60)
        stats = (await get(http, "/tasks/status"))["stats"]
        assert stats["tasks_completed"] == len(await ids())
