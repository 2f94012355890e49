"""`coordinator serve` and `coordinator keys` as processes: what an operator does, and what a caller
sees of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import client, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

GUIDE = Path(__file__).parents[2] / "docs/guides/keys.md"
TASK = {"task_data": {"task_type": "count"}, "requirements": {"agent_id": "nobody"}}


async def keys(data: Path, *command: str) -> str:
    """What `coordinator keys` prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator", "keys", *command, "--data-dir", str(data)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


@pytest.mark.any_broker
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_key_counts_in_every_process_until_it_is_revoked_and_is_audited(
    broker: Broker, tmp_path: Path, workers: str
) -> None:
    data, audit = tmp_path / "data", tmp_path / "audit.log"
    environment = {
        "COORDINATOR_AUTH": "required",
        "COORDINATOR_HTTP_WORKERS": workers,
        "COORDINATOR_AUDIT_LOG": str(audit),
    }
    first = await keys(data, "create", "--name", "shop", "--role", "producer")
    async with service(broker.url, data, environment=environment) as (_, url), client(url) as http:
        await ready(http)
        later = await keys(data, "create", "--name", "dashboard", "--role", "reader")
        shop, dashboard = ({"Authorization": f"Bearer {key}"} for key in (first, later))

        async def statuses(headers: dict[str, str]) -> set[int]:
            """Of new connections, which the workers share."""
            found: set[int] = set()
            for _ in range(8):
                async with client(url) as new:
                    found.add((await new.get("/tasks", headers=headers)).status_code)
            return found

        assert await statuses({}) == {401}
        assert await statuses(shop) == {200}
        assert await statuses(dashboard) == {200}
        large = {"task_data": {"text": "x" * 900_000}}
        for _ in range(3):  # over one connection, whose next request is read as such
            assert (await http.post("/tasks/submit", json=large)).status_code == 401
        answer = await http.post("/tasks/submit", json=TASK, headers=shop)
        assert answer.status_code == 200
        refused = await http.post("/tasks/submit", json=TASK, headers=dashboard)
        assert refused.status_code == 403
        await keys(data, "revoke", "shop")

        async def revoked() -> bool:
            return await statuses(shop) == {401}

        await eventually(revoked)
        assert await statuses(dashboard) == {200}
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    told = [(one["actor"], one["status"]) for one in lines if one["action"] == "submit_task"]
    assert told == [("key:shop", 200), ("key:dashboard", 403)]
    task_ids = [one["task_id"] for one in lines if one.get("task_id")]
    assert task_ids == [answer.json()["task_id"]]
    assert {one["actor"] for one in lines if one["status"] == 401} == {None}
    assert first not in audit.read_text()
    used = [json.loads(line) for line in (await keys(data, "list", "--json")).splitlines()]
    assert {one["name"]: one["state"] for one in used} == {"dashboard": "active", "shop": "revoked"}
    assert all(one["last_used_at"] for one in used)


@pytest.mark.any_broker
async def test_the_demo_is_let_in_with_a_key_and_says_in_one_line_what_is_missing(
    broker: Broker, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    reader = await keys(data, "create", "--name", "screen", "--role", "reader")
    good = await keys(data, "create", "--name", "demo", "--role", "reader", "--role", "producer")
    file = tmp_path / "key"
    file.write_text(f"{good}\n")
    asks = {"COORDINATOR_AUTH": "required"}
    async with service(broker.url, data, environment=asks) as (_, url), client(url) as http:
        await ready(http)

        async def demo(*options: str, **environment: str) -> str:
            """What it says where it ends."""
            command = (sys.executable, "-m", "coordinator", "demo", "--url", url, *options)
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, **environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            assert process.returncode == 1
            return said.decode().strip()

        missing = await demo()
        assert "asks for a key. Give one of the roles reader and producer" in missing
        assert len(missing.splitlines()) == 1
        for let_in in (
            await demo(COORDINATOR_KEY=good),
            await demo(COORDINATOR_KEY_FILE=str(file)),
            await demo("--key-file", str(file), COORDINATOR_KEY=reader),
        ):
            assert "No agents are registered" in let_in
        assert "does not know this key" in await demo(COORDINATOR_KEY="ackey_of_nobody")

        [line] = [one for one in GUIDE.read_text().splitlines() if one.startswith("curl()")]
        asked = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{line}\ncurl -s {url}/tasks"),
            env={**os.environ, "COORDINATOR_KEY": reader},
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await asked.communicate()
        assert json.loads(answer)["tasks"] == []
