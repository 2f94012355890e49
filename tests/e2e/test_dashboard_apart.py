"""`coordinator dashboard`: the pages of a service that runs elsewhere, as a process."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from coordinator.access.roles import Role
from coordinator.api import create_app
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind
from tests.contract.fakes import Fakes, a_task
from tests.e2e.processes import spawned
from tests.support.api_keys import authenticator_with
from tests.support.ports import free_port

WHERE = re.compile(r"^dashboard of \S+ at (\S+)$", re.MULTILINE)


@asynccontextmanager
async def a_service(fakes: Fakes, **changes: Any) -> AsyncIterator[str]:
    listener = bind("127.0.0.1", 0)
    async with serving(create_app(fakes.services(**changes)), listener):
        yield address(listener)


async def refusal(*options: str) -> tuple[int, str]:
    """How it ended, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "coordinator", "dashboard", "--port", "0", *options),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    return process.returncode or 0, said.decode()


async def test_it_shows_tasks_of_the_service_and_acts_by_forms_of_its_own_alone(
    tmp_path: Path,
) -> None:
    fakes = Fakes()
    fakes.tasks = fakes.browsing._tasks = {"task-1": a_task(task_id="task-1")}
    command = (sys.executable, "-m", "coordinator", "dashboard", "--port", "0", "--url")
    # What a person is in the terminal is nothing to those who look.
    environment = {"COORDINATOR_KEY": "ackey_" + "x" * 43}
    async with (
        a_service(fakes) as url,
        spawned(*command, url, output=tmp_path / "out", environment=environment) as process,
    ):
        await process.prints(WHERE)
        found = WHERE.search(process.printed)
        assert found is not None
        async with httpx.AsyncClient(base_url=found[1], trust_env=False) as http:
            page = await http.get("tasks/task-1")
            assert page.status_code == 200
            assert "task-1" in page.text
            elsewhere = {"Origin": "https://evil.example"}
            form = {"task_id": "task-1"}
            assert (await http.post("do/cancel", data=form, headers=elsewhere)).status_code == 403
            assert not fakes.reasons
            assert (await http.post("do/cancel", data=form)).status_code == 200
            other_name = {"Host": "rebound.example"}
            assert (await http.get("tasks", headers=other_name)).status_code == 421


async def test_beyond_this_machine_it_wants_a_service_that_asks_for_keys(tmp_path: Path) -> None:
    beyond = ("--host", "0.0.0.0")
    async with a_service(Fakes()) as url:
        ended, said = await refusal("--url", url, *beyond)
    assert ended == 1
    assert "Whoever reaches 0.0.0.0 could do everything" in said
    ended, said = await refusal("--url", f"http://127.0.0.1:{free_port()}", *beyond)
    assert ended == 1
    assert "asks for keys is not known" in said
    authenticator, _ = await authenticator_with(reader=(Role.READER,))
    command = (sys.executable, "-m", "coordinator", "dashboard", "--port", "0", *beyond, "--url")
    async with (
        a_service(Fakes(), authenticator=authenticator) as url,
        spawned(*command, url, output=tmp_path / "out") as process,
    ):
        await process.prints(WHERE)


async def test_an_address_that_is_none_is_one_line(tmp_path: Path) -> None:
    ended, said = await refusal("--url", "ftp://example.org")
    assert (ended, said.count("\n")) == (1, 1)
    assert "--url and --ca-file: 'ftp://example.org' is not an address of HTTP" in said
    missing = str(tmp_path / "none.pem")
    ended, said = await refusal("--url", "https://127.0.0.1", "--ca-file", missing)
    assert (ended, said.count("\n")) == (1, 1)
