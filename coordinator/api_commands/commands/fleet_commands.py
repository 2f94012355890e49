"""Runs the list of `coordinator agents`, and `agent`, `drain`, `queues`, `clear` and `health`."""

from __future__ import annotations

from coordinator.api_commands.exit_statuses import DONE, NOT_COMPLETED, REFUSED
from coordinator.api_commands.printing.fleet_tables import print_agent, print_agents, print_queues
from coordinator.api_commands.printing.task_tables import print_tasks

from .invocation import Invocation

__all__ = ["clear", "drain", "health", "list_agents", "queues", "show_agent"]


def list_agents(call: Invocation) -> int:
    """`agents` without an action."""
    asked = call.options
    found = list(
        call.client.each_agent(
            status=asked.status,
            agent_type=asked.fleet_agent_type,
            capability=asked.fleet_capability,
            service=asked.fleet_service,
            listening=asked.listening,
        )
    )
    call.printer.answers(found, lambda: print_agents(call.printer, found))
    return DONE


def show_agent(call: Invocation) -> int:
    """`agent ID`."""
    agent = call.client.agent(call.options.agent_id)
    if call.printer.json:
        call.printer.document(agent)
        return DONE
    tasks = call.client.agents_tasks(agent.agent_id, limit=call.options.limit or 200)
    print_agent(call.printer, agent)
    if tasks:
        call.printer.line("")
        print_tasks(call.printer, list(tasks))
    return DONE


def drain(call: Invocation) -> int:
    """`drain ID…`."""

    def one(agent_id: str) -> None:
        done = call.client.drain(agent_id)
        how = (
            "it finishes what it has, and stops; to have it back, start it again where it runs"
            if done.told
            else "it has no connection to the broker to be told over"
        )
        call.printer.answer(done, lambda: call.printer.line(f"{done.agent_id} drains: {how}"))

    return call.each(call.options.agent_ids, one)


def queues(call: Invocation) -> int:
    """`queues`."""
    stats = call.client.queue_stats()
    call.printer.answer(stats, lambda: print_queues(call.printer, stats))
    return DONE


def clear(call: Invocation) -> int:
    """`clear PRIORITY`."""
    priority = call.options.priority
    if not call.options.yes:
        waiting = call.client.queue_sizes().get(priority, 0)
        if not call.agreed(f"{_tasks(waiting)} of the priority {priority} would be cancelled"):
            call.printer.note("Nothing was done.")
            return REFUSED
    done = call.client.clear_queue(priority)
    call.printer.answer(
        done, lambda: call.printer.line(f"Cancelled {_tasks(done.cleared_count)} of {priority}")
    )
    return DONE


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


def health(call: Invocation) -> int:
    """`health`: 1 where the service is not well."""
    found = call.client.health()

    def told() -> None:
        call.printer.line(f"{found.status}, version {found.version}, at {call.url}")
        for problem in found.problems or ():
            call.printer.line(f"  {problem}")

    call.printer.answer(found, told)
    return DONE if found.healthy else NOT_COMPLETED
