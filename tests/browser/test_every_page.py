"""Every page with something on it: in light and dark, on a telephone, judged by axe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.message import Message
from coordinator.protocol.topology import EVENTS
from tests.support.browsing import Tab, chromium
from tests.support.sources import must_have_a_broker
from tests.support.waiting import eventually

from .conftest import Looked

pytestmark = pytest.mark.any_broker

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

SERIOUS = {"serious", "critical"}


@asynccontextmanager
async def something_everywhere(looked: Looked) -> AsyncIterator[dict[str, str]]:
    """What each page has to show, by its path; an agent is there meanwhile."""
    async with looked.agent().running() as running:
        await running.registered()
        pages = await made_everywhere(looked)
        yield pages
        for task in await looked.client.tasks(state="input_required"):
            await looked.client.cancel(task.task_id)  # its agent would wait for an answer


async def made_everywhere(looked: Looked) -> dict[str, str]:
    client = looked.client
    asked = {"question": "Send it to Ann?", "choices": ["yes", "no"]}
    done = await client.submit({"task_type": "square", "n": 7})
    dead = await client.submit({"task_type": "fails"}, max_attempts=1)
    await client.submit({"task_type": "asks", "question": asked})
    await client.submit({}, requirements={"capabilities": ["nobody-has-it"]}, priority="urgent")
    await client.create_schedule("0 3 * * *", {"task_type": "square"}, schedule_id="nightly")
    await looked.coordinator.publisher.publish(
        Message(body=b"no event"), exchange=EVENTS, key="task.mallory.started"
    )
    assert await done.result(timeout=60) == 49
    assert (await dead.wait(timeout=60)).state == "dead"
    parked = await eventually(lambda: first_parked(looked))
    return {
        "/": "Waiting by priority",
        "/tasks": done.task_id,
        f"/tasks/{done.task_id}": "49",
        f"/tasks/{dead.task_id}": "the ledger has no page 7",
        "/agents": "clerk",
        "/queues": "cap:nobody-has-it",
        "/dead": dead.task_id,
        "/schedules": "nightly",
        "/questions": "Send it to Ann?",
        "/parked": "1 message",
        f"/parked/{parked}": "no event",
        "/health": "1 task waits in the lane cap:nobody-has-it",
        "/tasks/no-such-task": "Not found",
        "/nowhere": "There is nothing at /dashboard/nowhere",
    }


async def first_parked(looked: Looked) -> int | None:
    found = (await looked.client.parked()).parked
    return found[0].position if found else None


async def findings(tab: Tab) -> list[str]:
    """Of axe, those that are serious, with where they are."""
    await tab.page.evaluate(AXE.read_text())
    found: dict[str, Any] = await tab.page.evaluate(
        "axe.run(document, {resultTypes: ['violations']})"
    )
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
    ]


async def test_every_page_shows_what_there_is_and_axe_finds_nothing_serious(looked: Looked) -> None:
    if not AXE.exists():
        missing = "no axe at hand: run tests/browser/install.sh"
        pytest.fail(missing) if must_have_a_broker() else pytest.skip(missing)
    async with something_everywhere(looked) as pages:
        for scheme in ("light", "dark"):
            async with chromium(color_scheme=scheme) as browser:
                tab = Tab(await browser.new_page(), looked.url)
                for path, shown in pages.items():
                    await tab.go(path)
                    await tab.sees(shown)
                    assert await findings(tab) == [], (scheme, path)
                assert tab.wrong == []


async def out_of_sight(tab: Tab, selector: str) -> list[str]:
    """What of it is to be scrolled to, sideways."""
    found: list[str] = await tab.page.locator(selector).evaluate_all(
        """all => all.filter(one => {
            const edge = (one.closest(".scroll") ?? document.documentElement).getBoundingClientRect().right;
            return one.getBoundingClientRect().right > Math.min(edge, innerWidth) + 0.5;
        }).map(one => one.innerText)"""
    )
    return found


async def test_no_button_is_to_be_scrolled_to_on_a_screen_or_a_tablet(looked: Looked) -> None:
    async with something_everywhere(looked) as pages:
        for width in (1180, 768):
            async with chromium(viewport={"width": width, "height": 720}) as browser:
                tab = Tab(await browser.new_page(), looked.url)
                for path, shown in pages.items():
                    await tab.go(path)
                    await tab.sees(shown)
                    assert await out_of_sight(tab, "#main button") == [], (width, path)
                assert tab.wrong == []


async def test_no_page_is_wider_than_a_telephone(looked: Looked) -> None:
    async with something_everywhere(looked) as pages:
        telephone = {
            "viewport": {"width": 360, "height": 740},
            "is_mobile": True,
            "has_touch": True,
        }
        async with chromium(**telephone) as browser:
            tab = Tab(await browser.new_page(), looked.url)
            for path, shown in pages.items():
                await tab.go(path)
                await tab.sees(shown)
                width = await tab.page.evaluate("document.documentElement.scrollWidth")
                assert width == 360, path
                assert await out_of_sight(tab, "nav a") == [], path
                assert await out_of_sight(tab, "#main table.bars button") == [], path
            assert tab.wrong == []


async def test_without_scripts_pages_show_what_they_show_and_forms_are_sent(looked: Looked) -> None:
    async with chromium(java_script_enabled=False) as browser:
        tab = Tab(await browser.new_page(), looked.url)
        await looked.client.create_schedule("0 3 * * *", {}, schedule_id="nightly")
        await tab.go("/schedules")
        await tab.presses("Pause schedule nightly")
        await tab.sees("Schedule nightly is paused.")
        assert (await looked.client.schedule("nightly")).paused
        assert tab.wrong == []
