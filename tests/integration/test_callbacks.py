"""Callbacks of the whole service, to receivers of all kinds, on both databases."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from consumers import Task
from coordinator.bootstrap import Replacements, Timings, running
from coordinator.callbacks.address_rules import Address
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.settings import Settings
from tests.support.broker import Broker
from tests.support.receiver import answer, receiver
from tests.support.scraping import scrape
from tests.support.serving import SECRET, Service, serving
from tests.support.waiting import eventually

KEY = f"whsec_{base64.b64encode(b'k' * 32).decode()}"
NEW = f"whsec_{base64.b64encode(b'n' * 32).decode()}"
LOOPBACK = ("127.0.0.0/8",)
QUICK = RetryBackoff(first=timedelta(seconds=0.05), longest=timedelta(seconds=0.2))


def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / "default").write_text(KEY)
    return folder


@asynccontextmanager
async def calling(
    broker: Broker, tmp_path: Path, *, replacements: Replacements | None = None, **more: Any
) -> AsyncIterator[Service]:
    quick = Replacements(timings=Timings(callbacks=QUICK))
    given: dict[str, Any] = {"callback_secrets_dir": secrets(tmp_path), "callback_allow": LOOPBACK}
    replaced = replacements or quick
    async with serving(broker, tmp_path, replacements=replaced, **(given | more)) as service:
        yield service


async def cancelled(service: Service, url: str, **callback: Any) -> str:
    """A task that no agent does, and that has ended."""
    task_id: str = (
        await service.post("/tasks/submit", task_data={}, callback={"url": url} | callback)
    )["task_id"]
    await service.post(f"/tasks/{task_id}/cancel")
    return task_id


async def stands(service: Service, task_id: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        task = await service.task(task_id)
        found: list[dict[str, Any]] = task["callback"]["deliveries"]
        return next((one for one in found if one["state"] == state), None)

    return await eventually(there)


@pytest.mark.parametrize("apart", [False, True], ids=["one process", "two"])
async def test_the_end_of_a_task_is_told_once_signed_and_visible(
    broker: Broker, tmp_path: Path, ledger_url: str, apart: bool
) -> None:
    async with (
        receiver() as there,
        calling(broker, tmp_path, database_url=ledger_url, apart=apart) as service,
    ):
        agent = service.agent()

        @agent.default
        async def work(task: Task) -> str:
            return "a result that is asked for by its id"

        async with agent.running():
            asked = await service.post(
                "/tasks/submit", task_data={}, callback={"url": there.url("/hook?key=1")}
            )
            (got,) = await there.has(1)
        told = await stands(service, asked["task_id"], "delivered")
        assert (told["attempts"], told["last_status"], told["last_error"]) == (1, 204, None)
        assert told["next_try_at"] is None
        assert told["webhook_id"] == got.webhook_id
        assert got.target == "/hook?key=1"
        assert Webhook(KEY).verify(got.body, got.headers) == got.event
        assert (got.event["type"], got.event["subject"]) == ("task.completed", asked["task_id"])
        assert got.event["data"]["state"] == "completed"
        assert "a result" not in got.body.decode()
        assert len(there.received) == 1


@pytest.mark.any_broker
async def test_a_receiver_that_is_away_is_told_when_it_is_back_under_the_same_id(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    async with calling(broker, tmp_path, database_url=ledger_url) as service:
        async with receiver() as away:
            url, port = away.url(), away.port
        task_id = await cancelled(service, url)
        waiting = await stands(service, task_id, "pending")
        await eventually(lambda: _tried(service, task_id))
        async with receiver(port=port) as there:
            (got,) = await there.has(1)
            told = await stands(service, task_id, "delivered")
        assert told["webhook_id"] == got.webhook_id == waiting["webhook_id"]
        assert told["attempts"] > 1


async def _tried(service: Service, task_id: str) -> bool:
    (told,) = (await service.task(task_id))["callback"]["deliveries"]
    return bool(told["attempts"] >= 1 and "No connection" in told["last_error"])


@pytest.mark.any_broker
async def test_what_is_answered_decides_how_it_goes_on(broker: Broker, tmp_path: Path) -> None:
    async with (
        calling(broker, tmp_path, callback_retry_for=timedelta(seconds=0.5)) as service,
        receiver() as elsewhere,
        receiver(answer=lambda _: answer(302, f"Location: {elsewhere.url()}")) as redirects,
        receiver(answer=lambda _: b"garbage\r\n\r\n") as garbage,
        receiver(answer=lambda _: answer(410)) as gone,
    ):
        for there, status, words in (
            (redirects, 302, "redirects are not followed"),
            (garbage, None, "No answer that is HTTP"),
            (gone, 410, "wants no more"),
        ):
            told = await stands(service, await cancelled(service, there.url()), "dead")
            assert told["last_status"] == status
            assert words in told["last_error"]
        assert elsewhere.connections == 0
        assert len(gone.received) == 1
        assert len(redirects.received) > 1


@pytest.mark.any_broker
async def test_a_slow_receiver_holds_up_no_other(broker: Broker, tmp_path: Path) -> None:
    hold = asyncio.Event()
    async with (
        calling(broker, tmp_path, max_callbacks=8, max_hosts_callbacks=2) as service,
        receiver(hold=hold) as slow,
        receiver() as quick,
    ):
        await asyncio.gather(*(cancelled(service, slow.url(host="localhost")) for _ in range(20)))
        await slow.has(2)
        for _ in range(10):
            await stands(service, await cancelled(service, quick.url()), "delivered")
        assert slow.most_open == 2
        hold.set()


@pytest.mark.any_broker
async def test_a_name_that_changes_its_address_is_followed_nowhere(
    broker: Broker, tmp_path: Path
) -> None:
    """It is public when it is submitted, and private when it is told: what counts is the latter."""
    answers = [[ip_address("127.0.0.99")]]

    async def resolve(host: str, port: int) -> list[Address]:
        assert host == "changing.example"
        return answers[0]

    replacements = Replacements(timings=Timings(callbacks=QUICK), resolve=resolve)
    async with (
        receiver() as there,
        calling(
            broker,
            tmp_path,
            replacements=replacements,
            callback_allow=("127.0.0.1/32",),
            callback_http=True,
        ) as service,
    ):
        url = there.url(host="changing.example")
        told = await stands(service, await cancelled(service, url), "dead")
        assert "no public address" in told["last_error"]
        assert there.connections == 0
        answers[0] = [ip_address("127.0.0.1")]
        assert (await service.post("/callbacks/redrive", host="changing.example"))["redriven"] == 1
        (got,) = await there.has(1)
        assert got.webhook_id == told["webhook_id"]


@pytest.mark.any_broker
async def test_where_nothing_is_allowed_this_machine_is_not_called(
    broker: Broker, tmp_path: Path
) -> None:
    async with receiver() as there, calling(broker, tmp_path, callback_allow=()) as service:
        asked = {"task_data": {}, "callback": {"url": there.url()}}
        refused = await service.http.post("/tasks/submit", json=asked)
        assert refused.status_code == 422
        assert "COORDINATOR_CALLBACK_ALLOW" in refused.json()["detail"]
        batch = await service.post("/tasks/submit/batch", tasks=[asked, {"task_data": {}}])
        assert [one["status"] for one in batch["results"]] == ["rejected", "accepted"]
        schedule = {"cron": "* * * * *", "task": asked}
        refused = await service.http.post("/schedules", json=schedule)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "task.callback.url"
        told = await stands(service, await cancelled(service, there.url(host="localhost")), "dead")
        assert "no public address" in told["last_error"]
        assert there.connections == 0


@pytest.mark.any_broker
async def test_batches_and_schedules_call_back_as_well(broker: Broker, tmp_path: Path) -> None:
    async with receiver() as there, calling(broker, tmp_path) as service:
        task: dict[str, Any] = {"task_data": {}, "callback": {"url": there.url("/batch")}}
        batch = await service.post("/tasks/submit/batch", tasks=[task, task])
        for one in batch["results"]:
            await service.post(f"/tasks/{one['task_id']}/cancel")
        await there.has(2)
        task = {
            "task_data": {},
            "expires_in_seconds": 0.1,
            "callback": {"url": there.url("/schedule"), "events": ["expired"]},
        }
        await service.post("/schedules", schedule_id="s", cron="* * * * * *", task=task)
        await eventually(lambda: any(got.target == "/schedule" for got in there.received))
        await service.post("/schedules/s/pause")


@pytest.mark.any_broker
async def test_each_attempt_is_told_where_that_is_asked_for(broker: Broker, tmp_path: Path) -> None:
    async with receiver() as there, calling(broker, tmp_path) as service:
        agent = service.agent()

        @agent.default
        async def work(task: Task) -> str:
            if task.attempt == 1:
                raise ValueError("not yet")
            return "done"

        async with agent.running():
            await service.post(
                "/tasks/submit",
                task_data={},
                max_attempts=2,
                backoff={"first_seconds": 0.1},
                callback={"url": there.url(), "events": ["started", "retried", "ended"]},
            )
            await there.has(4)
        told = [(got.event["type"], got.event["data"]["attempt"]) for got in there.received]
        assert sorted(told) == [
            ("task.completed", 2),
            ("task.failed", 1),
            ("task.started", 1),
            ("task.started", 2),
        ]
        assert len({got.webhook_id for got in there.received}) == 4


@pytest.mark.any_broker
async def test_two_coordinators_tell_each_end_once(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    async with (
        receiver() as there,
        calling(broker, tmp_path, database_url=ledger_url) as service,
        running(
            Settings(
                amqp_url=broker.url,
                data_dir=tmp_path / "other",
                database_url=ledger_url,
                secret=SECRET,
                callback_secrets_dir=secrets(tmp_path),
                callback_allow=LOOPBACK,
            )
        ),
    ):
        task = {"task_data": {}, "callback": {"url": there.url()}}
        batch = await service.post("/tasks/submit/batch", tasks=[task] * 60)
        for one in batch["results"]:
            await service.post(f"/tasks/{one['task_id']}/cancel")

        async def all_told() -> bool:
            page = (await service.http.get("/callbacks?state=delivered&limit=200")).json()
            return bool(page["count"] == 60)

        await eventually(all_told, timeout=60)
        assert len(there.received) == len({got.webhook_id for got in there.received}) == 60


@pytest.mark.any_broker
async def test_while_a_secret_is_rotated_both_sign_and_no_restart_is_needed(
    broker: Broker, tmp_path: Path
) -> None:
    async with receiver() as there, calling(broker, tmp_path) as service:
        (secrets(tmp_path) / "default").write_text(f"{NEW}\n{KEY}\n")
        await cancelled(service, there.url())
        (got,) = await there.has(1)
        for key in (KEY, NEW):
            Webhook(key).verify(got.body, got.headers)
        assert KEY not in got.body.decode()


@pytest.mark.any_broker
async def test_metrics_count_tries_and_what_is_left(broker: Broker, tmp_path: Path) -> None:
    trying = Replacements(timings=Timings(callbacks=RetryBackoff(first=timedelta(hours=1))))
    async with (
        receiver(answer=lambda _: answer(410)) as gone,
        receiver(answer=lambda _: answer(500)) as fails,
        receiver() as there,
        calling(broker, tmp_path, replacements=trying) as service,
    ):
        await stands(service, await cancelled(service, gone.url()), "dead")
        await stands(service, await cancelled(service, there.url()), "delivered")
        failing = await cancelled(service, fails.url())

        async def tried() -> bool:
            (told,) = (await service.task(failing))["callback"]["deliveries"]
            return bool(told["attempts"])

        await eventually(tried)
        page = await scrape(service.http)
        outcomes = page.by("outcome", "callbacks_total")
        assert outcomes == {"delivered": 1, "failed": 1, "dead": 1}
        assert page.value("callbacks_pending") == 1
        assert page.value("callbacks_dead") == 1
