"""What pages show by themselves, while something happens; keys; filters and pages of lists."""

from __future__ import annotations

import re
import statistics
import time

import pytest
from playwright.async_api import Route

from tests.support.browsing import Tab

from .conftest import Looked

pytestmark = pytest.mark.any_broker

NOBODY = {"capabilities": ["nobody-has-it"]}


async def test_the_list_of_tasks_shows_one_as_soon_as_it_is_told(looked: Looked, tab: Tab) -> None:
    async with tab.page.expect_response(lambda answer: "/live/changes" in answer.url):
        await tab.go("/tasks")
    await tab.sees("No task has been submitted yet.")
    handle = await looked.client.submit({"task_type": "paint"}, requirements=NOBODY)
    row = tab.page.locator(f"#t-{handle.task_id}")
    await row.locator(".s-queued").wait_for()
    await handle.cancel()
    await row.locator(".s-cancelled").wait_for()


@pytest.mark.alone
async def test_a_change_is_seen_within_a_second(looked: Looked, tab: Tab) -> None:
    async with tab.page.expect_response(lambda answer: "/live/changes" in answer.url):
        await tab.go("/tasks")
    seconds = []
    for _ in range(5):
        handle = await looked.client.submit({"task_type": "paint"}, requirements=NOBODY)
        began = time.monotonic()
        await tab.page.locator(f"#t-{handle.task_id}").wait_for()
        seconds.append(time.monotonic() - began)
    assert statistics.median(seconds) < 1, seconds


async def test_a_task_tells_its_output_as_it_comes_and_its_result_at_the_end(
    looked: Looked, tab: Tab
) -> None:
    async with looked.agent().running():
        handle = await looked.client.submit({"task_type": "waits"})
        await tab.go(f"/tasks/{handle.task_id}")
        await tab.sees("one word,", "#output-text")
        await tab.sees("running", "#task-state")
        looked.go_on.set()
        await tab.sees("one word, and another", "#output-text")
        await tab.sees("completed", "#task-state")
        await tab.sees('"told"', "#result")
        await tab.page.reload()
        await tab.sees("one word, and another", "#output-text")
        bar = tab.page.locator("svg.timeline rect.b-completed")
        assert float(await bar.get_attribute("width") or 0) > 0


async def test_figures_and_curves_of_the_overview_move(looked: Looked, tab: Tab) -> None:
    await tab.go("/")
    await tab.page.locator('[data-figure="ready"]').get_by_text("0", exact=True).wait_for()
    for _ in range(4):
        await looked.client.submit({}, requirements=NOBODY, priority="urgent")
    await tab.page.locator('[data-figure="ready"]').get_by_text("4", exact=True).wait_for()
    await tab.sees("4 tasks wait in the lane cap:nobody-has-it, and no agent takes its tasks")
    line = tab.page.locator('svg[data-series="ready"] path.line[d^="M"]')
    await line.wait_for(state="attached")
    await tab.page.locator('[data-rate="completed"]').get_by_text("0", exact=True).wait_for()


async def test_curves_move_with_the_tasks_that_are_done(looked: Looked, tab: Tab) -> None:
    await tab.go("/")
    curve = tab.page.locator('svg[data-series="completed"] path.line[d^="M"]')
    await curve.wait_for(state="attached")
    rate = tab.page.locator('[data-rate="completed"]')
    await rate.get_by_text("0", exact=True).wait_for()
    agent = looked.agent()
    async with agent.running():
        for _ in range(3):
            await looked.client.submit({"task_type": "square", "n": 2})
        await rate.filter(has_not_text=re.compile(r"^\s*0\s*$")).wait_for()
        heights = re.findall(r"[ML][\d.]+ ([\d.]+)", await curve.get_attribute("d") or "")
    assert min(map(float, heights)) < 31, "the curve has left its ground"


async def test_a_page_that_takes_long_to_make_is_asked_for_less_often(tab: Tab) -> None:
    looks: list[str] = []

    async def slowly(route: Route) -> None:
        answer = await route.fetch()
        if "x-dashboard-part" in route.request.headers:
            looks.append(route.request.url)
            timing = {"Server-Timing": "total;dur=2000.0"}
            await route.fulfill(response=answer, headers={**answer.headers, **timing})
        else:
            await route.fulfill(response=answer)

    await tab.page.clock.install()
    await tab.page.route("**/dashboard/queues", slowly)
    await tab.go("/queues")
    await tab.page.clock.run_for(1_100)
    await tab.sees("Live, each 18 s", "#live")
    await tab.page.clock.run_for(17_000)
    assert len(looks) == 1
    async with tab.page.expect_response("**/dashboard/queues"):
        await tab.page.clock.run_for(2_000)
    assert len(looks) == 2


async def test_what_a_person_writes_is_left_alone_while_the_page_changes(
    looked: Looked, tab: Tab
) -> None:
    handle = await looked.client.submit({"task_type": "paint"}, requirements=NOBODY)
    await tab.go(f"/tasks/{handle.task_id}")
    await tab.page.evaluate("window.head = document.querySelector('main .head')")
    await tab.presses("Cancel…")
    await tab.page.get_by_label("Reason").fill("half a rea")
    await handle.cancel()
    await tab.sees("cancelled", "#task-state")
    assert await tab.page.get_by_label("Reason").input_value() == "half a rea"
    assert await tab.page.evaluate("document.querySelector('dialog[open]').matches(':modal')")
    assert await tab.page.evaluate("head.isConnected"), "what is alike is not made anew"


async def test_lists_are_filtered_and_go_on_by_pages(looked: Looked, tab: Tab) -> None:
    await looked.client.submit_many([{"task_type": "paint", "n": n} for n in range(60)])
    other = await looked.client.submit({"task_type": "carve"}, priority="urgent")
    await tab.go("/tasks")
    rows = tab.page.locator("table.rows tbody tr")
    await tab.page.locator(f"#t-{other.task_id}").wait_for()
    assert await rows.count() == 50
    await tab.page.get_by_role("link", name="Next page").click()
    await tab.page.get_by_role("link", name="First page").wait_for()
    assert await rows.count() == 11
    await tab.go("/tasks")
    await tab.page.get_by_label("urgent").check()
    await tab.page.get_by_label("Type", exact=True).fill("carve")
    await tab.presses("Filter")
    await tab.page.wait_for_url("**priority=urgent**")
    assert await rows.count() == 1
    await tab.page.locator(f"#t-{other.task_id}").wait_for()
    await tab.go("/tasks?submitted_after=yesterday")
    await tab.sees("Submitted after is no instant: write 2026-01-31T12:00 in UTC")


async def test_keys_lead_everywhere(looked: Looked, tab: Tab) -> None:
    first = await looked.client.submit({"task_type": "paint"})
    last = await looked.client.submit({"task_type": "paint"})
    await tab.go("/")
    await tab.page.keyboard.press("g")
    await tab.page.keyboard.press("t")
    await tab.page.wait_for_url("**/dashboard/tasks")
    await tab.page.locator(f"#t-{first.task_id}").wait_for()
    await tab.page.keyboard.press("/")
    assert await tab.page.evaluate("document.activeElement.name") == "task_type"
    await tab.page.keyboard.type("g t")
    assert await tab.page.get_by_label("Type", exact=True).input_value() == "g t"
    await tab.page.get_by_label("Type", exact=True).fill("")
    await tab.page.locator("h1").click()
    await tab.page.keyboard.press("j")
    await tab.page.keyboard.press("j")
    await tab.page.keyboard.press("k")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(f"**/tasks/{last.task_id}")
    await tab.page.keyboard.press("?")
    await tab.sees("the next and the previous row", "dialog[open]")
    await tab.page.keyboard.press("Escape")
    await tab.page.locator("dialog[open]").wait_for(state="detached")
