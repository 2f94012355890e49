"""Each line of the log about a task says which task, attempt, type and agent it is of."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest

from consumers import Agent, Task
from consumers.testing import Interruption, run_task


async def test_lines_of_handlers_and_of_the_agent_about_a_task_have_the_same_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()
    agent = Agent("hermes")

    @agent.task("deaf")
    def deaf(task: Task) -> None:
        task.log.warning("begun")
        release.wait(60)

    with caplog.at_level(logging.WARNING):
        await run_task(
            agent,
            {"task_type": "deaf"},
            attempt=3,
            timeout=timedelta(seconds=0.05),
            interruption=Interruption(grace=timedelta()),
        )
        release.set()
    begun, given_up = caplog.records
    assert given_up.getMessage().startswith("a handler goes on after it was told to stop")
    for record in (begun, given_up):
        fields = vars(record)
        assert (fields["task_type"], fields["attempt"], fields["agent_id"]) == ("deaf", 3, "hermes")
    assert vars(begun)["task_id"] == vars(given_up)["task_id"]
