"""Every command and snippet of the pages, run in its order against a real system, and what became of the
tasks that they submit.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.processes import client
from tests.support.broker import Broker
from tests.support.running_system import System

from .blocks import ROOT, blocks, pages
from .page_runner import PageRunner
from .submitted_tasks import SubmittedTasks

OF_THE_PACKAGE = ROOT / "docs" / "guides" / "an-agents-own-repository.md"
"""Uses nothing of this checkout: tests/package runs it."""


@pytest.mark.any_broker
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_pages_do_what_they_say(
    system: System, broker: Broker, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    api = broker.management
    management_url = api.url.replace("://", f"://{api.username}:{api.password}@")
    for page in pages():
        if page == OF_THE_PACKAGE:
            continue
        every = list(blocks(page))
        if not any(block.runs for block in every):
            continue
        name = page.relative_to(ROOT).as_posix()
        runner = PageRunner(tmp_path / "pages" / page.stem, system, management_url=management_url)
        with subtests.test(page=name):
            async with runner.running(), client(system.api) as http:
                submitted = SubmittedTasks(http)
                await submitted.begin()
                for block in every:
                    if block.runs or block.verb == "file":
                        await runner.run(block)
                        await submitted.note(block)
                await submitted.hold()
