"""Log lines about a task carry its id, attempt, agent and type under the same names, in both styles."""

from __future__ import annotations

import json
import logging

from coordinator.log_lines import JsonFormatter
from coordinator.logging_setup import TextFormatter
from coordinator.task_log_context import task_context


def test_what_is_known_of_a_task_is_named_and_what_is_not_is_left_out() -> None:
    assert task_context("t") == {"task_id": "t"}
    assert task_context("t", attempt=2, agent_id="ada", task_type="sum") == {
        "task_id": "t",
        "attempt": 2,
        "agent_id": "ada",
        "task_type": "sum",
    }


def test_the_fields_stand_in_lines_for_people_and_for_collectors() -> None:
    record = logging.makeLogRecord(
        {"name": "coordinator.x", "msg": "cancelled a task", "levelname": "INFO"}
        | task_context("t", attempt=2, agent_id="ada", task_type="sum")
        | {"was": "running"}
    )
    line = TextFormatter().format(record)
    assert line.endswith(
        "x: cancelled a task  task_id=t  attempt=2  agent_id=ada  task_type=sum  was=running"
    )
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["task_id"], entry["attempt"], entry["agent_id"], entry["task_type"]) == (
        "t",
        2,
        "ada",
        "sum",
    )
