"""The inspector tells facts about the machine that it runs on."""

from __future__ import annotations

import asyncio
from typing import Any

from consumers import Agent, Discard, Task
from consumers.examples.task_inputs import number_in, path_in

from . import machine_facts

agent = Agent(
    "inspector",
    agent_type="monitor",
    capabilities=["system-facts"],
    services=["task-execution"],
    slots=1,  # the busier it is, the busier it finds the machine
    tags=["example"],
)


@agent.task("system-facts")
def system_facts(task: Task) -> dict[str, Any]:  # noqa: ARG001 - it takes no input
    return machine_facts.operating_system()


@agent.task("load")
def load(task: Task) -> dict[str, Any]:  # noqa: ARG001
    return machine_facts.load()


@agent.task("busy")
async def busy(task: Task) -> dict[str, Any]:
    milliseconds = number_in(task, "milliseconds", default=250, least=10, most=60_000)
    try:
        before = machine_facts.processor_time()
        await asyncio.sleep(milliseconds / 1000)
        return machine_facts.busy(before, machine_facts.processor_time())
    except FileNotFoundError as exc:
        raise Discard(str(exc)) from exc


@agent.task("memory")
def memory(task: Task) -> dict[str, Any]:  # noqa: ARG001
    try:
        return machine_facts.memory()
    except FileNotFoundError as exc:
        raise Discard(str(exc)) from exc


@agent.task("disk-space")
def disk_space(task: Task) -> dict[str, Any]:
    return machine_facts.space(path_in(task))
