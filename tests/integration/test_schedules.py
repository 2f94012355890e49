"""Recurring schedules on a real broker, with two coordinators."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import sqlalchemy as sa

from coordinator.bootstrap import running
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually


async def test_two_coordinators_submit_each_tick_once(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        one, _ = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        await one.ready()
        http = await stack.enter_async_context(over(one.app))
        body = {
            "schedule_id": "every second",
            "cron": "* * * * * *",
            "task": {"task_data": {"task_type": "no-op"}, "priority": "high"},
        }
        answer = await http.post("/schedules", json=body)
        assert answer.status_code == 200, answer.text

        async def depth() -> int:
            stats = (await http.get("/tasks/status")).json()["stats"]
            return int(stats["queue_sizes"]["high"])

        async def three() -> bool:
            return await depth() >= 3

        await eventually(three, timeout=60)
        assert (await http.post("/schedules/every%20second/pause")).status_code == 200
        told = (await http.get("/schedules/every%20second")).json()["schedule"]
        assert told["last_error"] is None
        task = await http.get(f"/tasks/{told['last_task_id']}")
        assert task.json()["task"]["state"] == "queued"

        engine = sa.create_engine(f"sqlite:///{tmp_path / 'ledger.sqlite3'}")

        async def ids_agree() -> bool:
            with engine.connect() as connection:
                tasks = connection.execute(sa.text("SELECT count(*) FROM tasks")).scalar_one()
            return bool(tasks == await depth())

        await eventually(ids_agree, timeout=60)
        engine.dispose()


async def test_an_interval_ticks_once_a_second_until_it_is_changed_and_is_run_by_hand(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        await one.ready()
        await two.ready()
        http = await stack.enter_async_context(over(one.app))
        other = await stack.enter_async_context(over(two.app))
        body = {"schedule_id": "often", "every_seconds": 1, "task": {"task_data": {"n": 1}}}
        answer = await http.post("/schedules", json=body)
        assert answer.status_code == 200, answer.text

        async def ids() -> set[str]:
            tasks = (await http.get("/tasks", params={"limit": 200})).json()["tasks"]
            return {task["task_id"] for task in tasks}

        async def three() -> bool:
            return len(await ids()) >= 3

        async def edited() -> bool:
            change = {"every_seconds": 3600, "task": {"task_data": {"n": 2}}}
            answer = await other.patch("/schedules/often", json=change)
            assert answer.status_code in (200, 409), answer.text  # a tick is being submitted
            return answer.status_code == 200

        await eventually(three, timeout=60)
        await eventually(edited, timeout=60)
        told = (await http.get("/schedules/often")).json()["schedule"]
        assert (told["every_seconds"], told["last_error"]) == (3600, None)
        key = {"Idempotency-Key": "by hand"}
        run = [await side.post("/schedules/often/run", headers=key) for side in (http, other)]
        assert run[0].json()["task_id"] == run[1].json()["task_id"]

        async def is_there() -> bool:
            answer = await other.get(f"/tasks/{run[0].json()['task_id']}")
            return answer.status_code == 200 and answer.json()["task"]["task_data"] == {"n": 2}

        await eventually(is_there, timeout=60)
