"""Callbacks of a service in processes of its own: over HTTPS, and over a kill between POST and note."""

from __future__ import annotations

import asyncio
import base64
import signal
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from standardwebhooks.webhooks import Webhook

from tests.e2e.processes import client, get, ready, service
from tests.support.broker import Broker
from tests.support.certificates import issued, trusted
from tests.support.receiver import answer, receiver
from tests.support.waiting import eventually

KEY = f"whsec_{base64.b64encode(b'k' * 32).decode()}"


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    folder = tmp_path / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / "default").write_text(KEY)
    return {
        "COORDINATOR_CALLBACK_SECRETS_DIR": str(folder),
        "COORDINATOR_CALLBACK_ALLOW": "127.0.0.0/8",
        "COORDINATOR_CALLBACK_TIMEOUT": "10",
        **more,
    }


async def cancelled(http: httpx.AsyncClient, url: str) -> str:
    body = {"task_data": {}, "callback": {"url": url}}
    answered = await http.post("/tasks/submit", json=body)
    assert answered.status_code == 200, answered.text
    task_id: str = answered.json()["task_id"]
    assert (await http.post(f"/tasks/{task_id}/cancel")).status_code == 200
    return task_id


async def delivery(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    (found,) = (await get(http, f"/tasks/{task_id}"))["task"]["callback"]["deliveries"]
    told: dict[str, Any] = found
    return told


async def delivered(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        found = await delivery(http, task_id)
        return found if found["state"] == "delivered" else None

    return await eventually(there, timeout=90)


@pytest.mark.slow
@pytest.mark.any_broker
@pytest.mark.parametrize("projector", ["same", "own"])
async def test_killed_between_the_post_and_its_note_it_is_told_again_under_the_same_id(
    broker: Broker, tmp_path: Path, projector: str
) -> None:
    data, given = tmp_path / "service", environment(tmp_path, COORDINATOR_PROJECTOR=projector)
    given["COORDINATOR_CALLBACK_TIMEOUT"] = "2"  # and so the lease ends soon
    async with receiver(hold=asyncio.Event()) as there:
        async with (
            service(broker.url, data, environment=given) as (process, url),
            client(url) as http,
        ):
            await ready(http)
            task_id = await cancelled(http, there.url())
            await there.has(1)
            process.signal(signal.SIGKILL)
            await process.wait()
        assert there.hold is not None
        there.hold.set()
        async with service(broker.url, data, environment=given) as (_, url), client(url) as http:
            await ready(http)
            told = await delivered(http, task_id)
            first, *again = there.received
            assert again
            assert {one.webhook_id for one in again} == {first.webhook_id} == {told["webhook_id"]}
            assert {one.body for one in again} == {first.body}
            for one in there.received:
                assert Webhook(KEY).verify(one.body, one.headers)["subject"] == task_id


@pytest.mark.slow
@pytest.mark.any_broker
async def test_what_is_answered_in_time_is_told_once_though_the_service_is_stopped_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    data, given = tmp_path / "service", environment(tmp_path)
    async with receiver() as there:
        for round_ in range(3):
            async with (
                service(broker.url, data, environment=given) as (process, url),
                client(url) as http,
            ):
                await ready(http)
                await cancelled(http, there.url())
                await there.has(round_ + 1)
                await process.end()
        async with service(broker.url, data, environment=given) as (_, url), client(url) as http:
            await ready(http)
            page = await get(http, "/callbacks")
            assert [one["state"] for one in page["callbacks"]] == ["delivered"] * 3
        assert len(there.received) == len({one.webhook_id for one in there.received}) == 3


@pytest.mark.slow
@pytest.mark.any_broker
async def test_over_https_a_receiver_is_verified_and_a_failing_one_is_seen_by_the_doctor(
    broker: Broker, tmp_path: Path
) -> None:
    ca = trustme.CA()
    files = issued(ca, tmp_path / "tls", "localhost", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    given = environment(
        tmp_path,
        COORDINATOR_CALLBACK_CA=str(trusted(ca, tmp_path / "ca.pem")),
        COORDINATOR_CALLBACK_RETRY_FOR="1",
    )
    async with (
        receiver(tls=context) as there,
        receiver(answer=lambda _: answer(500)) as fails,
        service(broker.url, tmp_path / "service", environment=given) as (_, url),
        client(url) as http,
    ):
        await ready(http)
        told = await delivered(http, await cancelled(http, there.url(host="localhost")))
        (got,) = there.received
        assert told["webhook_id"] == got.webhook_id
        assert Webhook(KEY).verify(got.body, got.headers) == got.event
        await cancelled(http, fails.url())

        async def dead() -> bool:
            return bool((await get(http, "/callbacks?state=dead"))["count"])

        await eventually(dead, timeout=60)

        async def noted() -> bool:
            problems = (await http.get("/health")).json().get("problems", [])
            return any("callbacks died" in one for one in problems)

        await eventually(noted, timeout=30)
        assert (await http.post("/callbacks/redrive", json={"host": "127.0.0.1"})).json()[
            "redriven"
        ] == 1
