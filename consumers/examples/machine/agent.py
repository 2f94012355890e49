"""The inspector tells facts about the machine that it runs on."""

from __future__ import annotations

from typing import Any

from consumers import Agent, Discard, Task
from consumers.examples.task_inputs import path_in

from . import machine_facts

agent = Agent(
    "inspector",
    agent_type="monitor",
    capabilities=["system-facts"],
    services=["task-execution"],
    slots=2,
    tags=["example"],
)


@agent.task("system-facts")
def system_facts(task: Task) -> dict[str, Any]:  # noqa: ARG001 - it takes no input
    return machine_facts.operating_system()


@agent.task("load")
def load(task: Task) -> dict[str, Any]:  # noqa: ARG001
    return machine_facts.load()


@agent.task("memory")
def memory(task: Task) -> dict[str, Any]:  # noqa: ARG001
    try:
        return machine_facts.memory()
    except FileNotFoundError as exc:
        raise Discard(str(exc)) from exc


@agent.task("disk-space")
def disk_space(task: Task) -> dict[str, Any]:
    return machine_facts.space(path_in(task))
