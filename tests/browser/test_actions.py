"""What people do on the pages, each against a real broker."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route

from coordinator.client import Conflict, NotFound, Task
from tests.support.browsing import Tab
from tests.support.waiting import eventually

from .conftest import Looked

pytestmark = pytest.mark.any_broker


async def dies(looked: Looked, **data: object) -> Task:
    handle = await looked.client.submit({"task_type": "fails", **data}, max_attempts=1)
    task = await handle.wait(timeout=60)
    assert task.state == "dead"
    return task


async def test_a_task_is_cancelled_for_a_reason(looked: Looked, tab: Tab) -> None:
    handle = await looked.client.submit({}, requirements={"capabilities": ["nobody-has-it"]})
    await tab.go(f"/tasks/{handle.task_id}")
    await tab.sees("nobody-has-it")
    await tab.presses("Cancel…")
    await tab.page.get_by_label("Reason").fill("no longer needed")
    await tab.confirms("Cancel the task")
    await tab.is_told(f"Task {handle.task_id} is cancelled; it was queued.")
    await tab.sees("cancelled", "#task-state")
    task = await handle.task()
    assert task.state == "cancelled"
    assert task.error is not None
    assert "no longer needed" in task.error.message


async def test_a_dead_task_is_looked_into_edited_and_redriven(looked: Looked, tab: Tab) -> None:
    async with looked.agent().running():
        task = await dies(looked)
        await tab.go(f"/tasks/{task.task_id}")
        await tab.sees("the ledger has no page 7")
        await tab.sees("Traceback (most recent call last)")
        await tab.presses("Edit and redrive…")
        data = tab.page.get_by_label("Data, a JSON object")
        await data.fill("[1]")
        await tab.presses("Redrive", "dialog[open]")
        await tab.is_told("Task data has to be a JSON object: {…}")
        await data.fill('{"task_type": "fails", "mended": true}')
        await tab.confirms("Redrive")
        await tab.sees("completed", "#task-state")
        again = await looked.client.task(task.task_id)
        assert (again.state, again.generation) == ("completed", 2)
        assert again.task_data["mended"] is True


async def test_a_dead_task_is_retried_and_deleted(looked: Looked, tab: Tab) -> None:
    async with looked.agent().running():
        task = await dies(looked)
        await tab.go(f"/tasks/{task.task_id}")
        await tab.presses("Retry")
        await tab.is_told("goes round again, as generation 2.")
        await looked.client.wait(task.task_id, timeout=60)
        await tab.sees("generation 2")
        await tab.sees("dead", "#task-state")
        await tab.presses("Delete…")
        await tab.confirms("Delete the task")
        await tab.is_told(f"Task {task.task_id} is deleted.")
        with pytest.raises(NotFound):
            await looked.client.task(task.task_id)


async def test_what_cannot_be_done_any_more_is_told_in_the_words_of_the_service(
    looked: Looked, tab: Tab
) -> None:
    handle = await looked.client.submit({}, requirements={"capabilities": ["nobody-has-it"]})
    await tab.go(f"/tasks/{handle.task_id}")
    await tab.presses("Cancel…")
    await handle.cancel()
    await tab.presses("Cancel the task", "dialog[open]")
    with pytest.raises(Conflict) as refused:
        await handle.cancel()
    await tab.is_told(refused.value.detail)


async def test_dead_tasks_are_counted_redriven_at_a_rate_and_retried_one_by_one(
    looked: Looked, tab: Tab
) -> None:
    async with looked.agent().running():
        tasks = [await dies(looked, n=n) for n in range(3)]
        await tab.go("/dead")
        await tab.page.get_by_role("link", name="ValueError").click()
        await tab.sees("3 tasks that match")
        await tab.presses("Dry run")
        await tab.is_told("A redrive would take 3 dead tasks. Nothing was done.")
        assert (await looked.client.task(tasks[0].task_id)).generation == 1
        await tab.page.get_by_label("Tasks per second").fill("soon")
        await tab.presses("Redrive 3")
        await tab.is_told("Rate per second is no number: soon")
        await tab.page.get_by_label(f"Select task {tasks[1].task_id}").check()
        await tab.presses("Retry selected")
        await tab.is_told("1 task goes round again.")

        async def again(task: Task, generation: int) -> bool:
            now = await looked.client.task(task.task_id)
            return (now.state, now.generation) == ("dead", generation)

        await eventually(lambda: again(tasks[1], 2))
        await tab.page.get_by_label("Tasks per second").fill("50")
        await tab.presses("Redrive 3")
        await tab.is_told("3 of 3 dead tasks go round again.")
        await eventually(lambda: again(tasks[0], 2))
        await eventually(lambda: again(tasks[1], 3))


async def test_a_priority_is_cleared_after_a_question_that_names_the_number(
    looked: Looked, tab: Tab
) -> None:
    lane = {"capabilities": ["nobody-has-it"]}
    for _ in range(3):
        await looked.client.submit({}, priority="low", requirements=lane)
    kept = await looked.client.submit({}, priority="high", requirements=lane)
    await tab.go("/queues")
    depth = tab.page.locator("#p-low > .depth")
    await depth.get_by_text("3", exact=True).wait_for()
    await tab.presses("Clear priority low")
    await tab.sees("3 tasks wait at priority low", "dialog[open]")
    await tab.confirms("Cancel 3 tasks")
    await tab.is_told("3 tasks at priority low are cancelled.")
    await depth.get_by_text("0", exact=True).wait_for()
    assert (await looked.client.queue_sizes())["low"] == 0
    assert (await kept.task()).state == "queued"


async def test_a_lane_is_retired_right_after_its_only_task_was_cancelled(
    looked: Looked, tab: Tab
) -> None:
    handle = await looked.client.submit({}, requirements={"capabilities": ["left"]})
    await tab.go("/queues")
    await tab.presses("Retire lane cap:left, at normal")
    await tab.sees("1 task waits in the lane cap:left", "dialog[open]")
    await tab.presses("Keep it", "dialog[open]")
    await handle.cancel()
    await tab.go("/queues")
    await tab.presses("Retire lane cap:left, at normal")
    await tab.sees("No task waits in the lane cap:left", "dialog[open]")
    await tab.confirms("Retire it")
    await tab.is_told("Lane cap:left is retired")


async def test_an_agent_is_drained_and_removed(looked: Looked, tab: Tab) -> None:
    agent = looked.agent()
    async with agent.running() as running:
        await running.registered()
        await looked.client.submit({"task_type": "waits"})
        await tab.go("/agents")
        await tab.sees("waits", "#a-clerk .runs")
        await tab.presses("Drain agent clerk")
        await tab.sees("finishes the 1 task that it works on, and stops", "dialog[open]")
        await tab.confirms("Drain it")
        await tab.is_told("Agent clerk finishes what it has, and stops.")
        await tab.sees("draining", "#a-clerk")
        await tab.sees("takes nothing more, and then stops", "#a-clerk")
        looked.go_on.set()
    await tab.sees("inactive", "#a-clerk")
    await tab.presses("Remove agent clerk")
    await tab.confirms("Remove it")
    await tab.is_told("Agent clerk is removed.")
    await tab.sees_not("#a-clerk")


async def test_a_schedule_is_made_edited_run_paused_resumed_and_deleted(
    looked: Looked, tab: Tab
) -> None:
    await tab.go("/schedules")
    await tab.presses("New schedule…")
    await tab.page.get_by_label("Id", exact=True).fill("nightly")
    await tab.page.get_by_label("Cron").fill("every night")
    await tab.page.get_by_label("Data of the task").fill('{"task_type": "square", "n": 3}')
    await tab.presses("Make it", "dialog[open]")
    await tab.is_told("every night")  # why it is no cron expression
    await tab.page.get_by_label("Cron").fill("0 3 * * *")
    await tab.confirms("Make it")
    await tab.sees("nightly", "#s-nightly")
    await tab.presses("Edit schedule nightly")
    await tab.page.locator("dialog[open]").get_by_label("Cron").fill("30 4 * * *")
    await tab.confirms("Change it")
    await tab.is_told("Schedule nightly is changed.")
    await tab.sees("30 4 * * *", "#s-nightly")
    await tab.presses("Run now: schedule nightly")
    await tab.is_told("Schedule nightly has submitted the task ")
    (run,) = (await looked.client.tasks(task_type="square")).items
    assert (await looked.client.task(run.task_id)).task_data["n"] == 3
    await tab.presses("Pause schedule nightly")
    await tab.sees("paused", "#s-nightly")
    assert (await looked.client.schedule("nightly")).paused
    await tab.presses("Resume schedule nightly")
    await tab.page.get_by_role("button", name="Pause schedule nightly").wait_for()
    assert not (await looked.client.schedule("nightly")).paused
    await tab.presses("Delete schedule nightly")
    await tab.confirms("Delete it")
    await tab.sees_not("#s-nightly")
    with pytest.raises(NotFound):
        await looked.client.schedule("nightly")


async def test_a_button_that_is_pressed_again_before_the_answer_does_it_once(
    looked: Looked, tab: Tab
) -> None:
    await looked.client.create_schedule(
        "0 3 * * *", {"task_type": "square", "n": 3}, schedule_id="s"
    )
    answered = asyncio.Event()

    async def slowly(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await tab.page.route("**/do/run-schedule", slowly)
    await tab.go("/schedules")
    await tab.presses("Run now: schedule s")
    await tab.presses("Run now: schedule s")  # once the page was shown anew, meanwhile
    answered.set()
    await tab.is_told("Schedule s has submitted the task ")
    assert sum("/do/run-schedule" in url for url in tab.requests) == 1


async def test_people_answer_what_tasks_ask(looked: Looked, tab: Tab) -> None:
    choose = {"question": "Send it to Ann?", "choices": ["yes", "no"]}
    async with looked.agent().running():
        chosen = await looked.client.submit({"task_type": "asks", "question": choose})
        told = await looked.client.submit({"task_type": "asks", "question": "How much?"})
        await tab.go("/questions")
        await tab.sees("Send it to Ann?")
        await tab.presses("yes")
        assert await chosen.result(timeout=60) == "yes"
        await tab.sees("How much?")
        await tab.page.get_by_label("Answer, a text or JSON").fill('{"pounds": 12}')
        await tab.presses("Answer")
        assert await told.result(timeout=60) == {"pounds": 12}
        await tab.sees("No task waits for people.")
