"""The guide to an agent's own repository, each command of it, with the package as it would be published."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks
from tests.docs.page_runner import PORT_OF_THE_PAGES, PageRunner
from tests.e2e.processes import client
from tests.support.broker import Broker
from tests.support.running_system import System, running_system

from .environments import Built

PAGE = ROOT / "docs" / "guides" / "an-agents-own-repository.md"


class OwnRepository(PageRunner):
    """Sees the built package in the place of an index's, and nothing of this checkout but its command."""

    def __init__(self, folder: Path, system: System, built: Built, management_url: str) -> None:
        super().__init__(folder, system, management_url=management_url)
        wheels = {"PIP_FIND_LINKS": f"{built.wheel.parent} {os.environ.get('PIP_FIND_LINKS', '')}"}
        pinned = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
        quick = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        self._environment = {**self._environment, **wheels, **pinned, **quick}
        self._environment = {
            name: value for name, value in self._environment.items() if name != "PYTHONPATH"
        }

    def _adapted(self, code: str) -> str:
        code = PORT_OF_THE_PAGES.sub(self._api.removeprefix("http://"), code)
        code = code.replace("python3 -m venv", f"{sys.executable} -m venv")
        return re.sub(
            r"^coordinator ", f"{sys.executable} -m coordinator ", code, flags=re.MULTILINE
        )


def saved(name: str) -> Block:
    (found,) = (block for block in blocks(PAGE) if block.verb == "file" and block.argument == name)
    return found


@pytest.mark.any_broker
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_from_an_empty_folder_to_an_agent_that_does_a_task(
    broker: Broker, built: Built, tmp_path: Path
) -> None:
    api = broker.management
    administrator = api.url.replace("://", f"://{api.username}:{api.password}@")
    folder = tmp_path / "repository"
    async with running_system(broker.url, tmp_path) as system, client(system.api) as http:
        runner = OwnRepository(folder, system, built, administrator)
        async with runner.running():
            for block in blocks(PAGE):
                if block.runs or block.verb == "file":
                    await runner.run(block)
            task = (await http.get("/tasks/shouted-1")).json()["task"]
    assert task["agent_id"] == "shouter"
    (package,) = (folder / ".venv").glob("lib/python*/site-packages/consumers/__init__.py")
    assert package.is_file()


def test_what_keeps_it_running_runs_what_the_page_has_run() -> None:
    (started,) = (block.code for block in blocks(PAGE) if block.verb == "background")
    command = started.split(".venv/bin/")[1].split()
    dockerfile = saved("Dockerfile").code
    assert json.loads(dockerfile.split("CMD ")[1]) == command
    assert f"/.venv/bin/{' '.join(command)}\n" in saved("shouter.service").code
    files = {block.argument for block in blocks(PAGE) if block.verb == "file"}
    (copied,) = re.findall(r"^COPY (.*) \./$", dockerfile, re.MULTILINE)
    assert set(copied.split()) <= files


def test_make_builds_the_package_where_the_page_has_pip_look_for_it() -> None:
    command = ["make", "--dry-run", "--assume-old=.venv/installed", "package"]
    made = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    (outdir,) = re.findall(r"-m build --no-isolation --outdir (\S+) \.\n", made)
    (skipped,) = (block.code for block in blocks(PAGE) if "make package" in block.code)
    assert skipped == (
        f"(cd ~/agent-coordinator && make package)\nexport PIP_FIND_LINKS=~/agent-coordinator/{outdir}\n"
    )
