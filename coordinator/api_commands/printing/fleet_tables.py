"""Prints agents, queues, schedules, groups and callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from coordinator.client import Agent, CallbackDelivery, Group, QueueStats, Schedule

from .cell_texts import NONE, age, as_json, instant_text, one_line, span_text
from .printer import Printer
from .text_tables import Column

__all__ = [
    "AGENTS",
    "PRIORITIES",
    "agent_rows",
    "print_agent",
    "print_agents",
    "print_callbacks",
    "print_group",
    "print_queues",
    "print_schedule",
    "print_schedules",
    "priority_rows",
]

AGENTS = (
    Column(name="agent", least=10, whole=True),
    Column(name="status", least=8),
    Column(name="listens", least=7, spared=2),
    Column(name="slots", least=5, right=True, spared=1),
    Column(name="heard", least=6, right=True, spared=3),
    Column(name="type", least=8, spared=6),
    Column(name="tasks", least=10, spared=4),
    Column(name="capabilities", least=12, spared=5),
)


def print_agents(printer: Printer, agents: Sequence[Agent]) -> None:
    """One line each."""
    if not agents:
        printer.note("No agent matches.")
        return
    printer.table(AGENTS, agent_rows(agents))


def agent_rows(agents: Sequence[Agent], now: datetime | None = None) -> list[list[str]]:
    """For the columns `AGENTS`."""
    now = now or datetime.now(UTC)
    return [
        [
            one_line(agent.agent_id),
            one_line(agent.status),
            "yes" if agent.listening else "no",
            _slots(agent),
            age(agent.last_heartbeat, now),
            one_line(agent.agent_type),
            "all" if agent.task_types is None else one_line(", ".join(agent.task_types)),
            one_line(", ".join(agent.capabilities)),
        ]
        for agent in agents
    ]


def _slots(agent: Agent) -> str:
    """Such as `1/4`: how many are taken, of how many."""
    if agent.slots is None:
        return NONE
    taken = "?" if agent.free_slots is None else agent.slots - agent.free_slots
    return f"{taken}/{agent.slots}"


def print_agent(printer: Printer, agent: Agent) -> None:
    """All that it has, but for what is not there."""
    fields = [
        ("agent", one_line(agent.agent_id)),
        ("status", one_line(agent.status)),
        ("listens", "yes" if agent.listening else "no"),
        ("type", one_line(agent.agent_type)),
        ("version", one_line(agent.version)),
        ("slots", NONE if agent.slots is None else f"{_slots(agent)} taken"),
        ("heard", f"{age(agent.last_heartbeat)} ago" if agent.last_heartbeat else NONE),
        ("registered", instant_text(agent.registration_time)),
        ("health", f"{agent.health_score:.2f}"),
        (
            "tasks",
            "all types" if agent.task_types is None else one_line(", ".join(agent.task_types)),
        ),
        ("capabilities", one_line(", ".join(agent.capabilities))),
        ("services", one_line(", ".join(agent.services))),
        ("tags", one_line(", ".join(agent.tags))),
        ("load", as_json(agent.load_metrics) if agent.load_metrics else NONE),
        ("metadata", as_json(agent.metadata) if agent.metadata else NONE),
    ]
    printer.fields([field for field in fields if field[1] != NONE])


PRIORITIES = (
    Column(name="priority", least=8),
    Column(name="waiting", least=7, right=True),
    Column(name="oldest", least=7, right=True),
    Column(name="queues", least=6, right=True, spared=1),
)

QUEUES = (
    Column(name="lane", least=14),
    Column(name="priority", least=8),
    Column(name="waiting", least=7, right=True),
    Column(name="oldest", least=7, right=True, spared=1),
    Column(name="listening", least=9, right=True, spared=2),
)


def priority_rows(stats: QueueStats) -> list[list[str]]:
    """For the columns `PRIORITIES`."""
    return [
        [
            one_line(priority),
            str(totals.ready),
            span_text(totals.oldest_waiting_seconds),
            str(totals.queues),
        ]
        for priority, totals in stats.priorities.items()
    ]


def print_queues(printer: Printer, stats: QueueStats) -> None:
    """By priority, then each that something waits on."""
    printer.table(PRIORITIES, priority_rows(stats))
    waiting = sorted(stats.queues, key=lambda queue: -queue.ready)
    if waiting:
        printer.line("")
        printer.table(
            QUEUES,
            [
                [
                    one_line(queue.lane),
                    one_line(queue.priority),
                    str(queue.ready),
                    span_text(queue.oldest_waiting_seconds),
                    str(queue.listening),
                ]
                for queue in waiting
            ],
        )
    if stats.left_out:
        printer.note(f"{stats.left_out} more queues were too many for one answer.")


SCHEDULES = (
    Column(name="schedule", least=12, whole=True),
    Column(name="cron", least=10, spared=2),
    Column(name="timezone", least=8, spared=4),
    Column(name="type", least=8, spared=3),
    Column(name="next", least=9),
    Column(name="then", least=10, spared=7),
    Column(name="last task", least=10, spared=5),
    Column(name="note", least=8, spared=6),
)


def print_schedules(printer: Printer, schedules: Sequence[Schedule]) -> None:
    """One line each."""
    if not schedules:
        printer.note("There are no schedules.")
        return
    rows = [
        [
            one_line(one.schedule_id),
            _ticks(one),
            one_line(one.timezone),
            one_line(one.task_type),
            _next(one),
            _then(one),
            one_line(one.last_task_id),
            one_line(one.last_error),
        ]
        for one in schedules
    ]
    printer.table(SCHEDULES, rows)


def _ticks(schedule: Schedule) -> str:
    if schedule.every_seconds is not None:
        return f"every {schedule.every_seconds} s"
    return one_line(schedule.cron)


def _next(schedule: Schedule) -> str:
    if schedule.paused:
        return "paused"
    if schedule.next_at is None:
        return "set aside"
    return f"in {span_text(max(schedule.next_at - datetime.now(UTC), timedelta()))}"


def _then(schedule: Schedule) -> str:
    """The ticks after the next."""
    return ", ".join(instant_text(tick) for tick in schedule.next_ticks[1:]) or NONE


def print_schedule(printer: Printer, schedule: Schedule) -> None:
    """All that it has, but for what is not there."""
    fields = [
        ("schedule", one_line(schedule.schedule_id)),
        ("cron", one_line(schedule.cron)),
        ("every", NONE if schedule.every_seconds is None else f"{schedule.every_seconds} s"),
        ("timezone", one_line(schedule.timezone)),
        ("missed", one_line(schedule.missed)),
        (
            "next",
            f"{instant_text(schedule.next_at)}, {_next(schedule)}"
            if schedule.next_at
            else _next(schedule),
        ),
        ("then", _then(schedule)),
        ("last run", instant_text(schedule.last_run_at)),
        ("last task", one_line(schedule.last_task_id)),
        ("last error", one_line(schedule.last_error)),
        ("created", instant_text(schedule.created_at)),
        ("by", one_line(schedule.created_by)),
        ("task", as_json(schedule.task) if schedule.task is not None else NONE),
    ]
    printer.fields([field for field in fields if field[1] != NONE])


def print_group(printer: Printer, group: Group) -> None:
    """How many of its tasks are in which state."""
    printer.fields(
        [
            ("group", one_line(group.group_id)),
            ("ended", f"{group.ended} of {group.total}, {group.progress:.0%}"),
            *((state, str(number)) for state, number in group.counts.items() if number),
        ]
    )


CALLBACKS = (
    Column(name="task", least=12, whole=True),
    Column(name="event", least=9),
    Column(name="state", least=9),
    Column(name="tries", least=5, right=True, spared=1),
    Column(name="next", least=6, right=True, spared=4),
    Column(name="url", least=12, spared=2),
    Column(name="note", least=8, spared=3),
)


def print_callbacks(printer: Printer, deliveries: Sequence[CallbackDelivery]) -> None:
    """One line each."""
    if not deliveries:
        printer.note("No callback matches.")
        return
    now = datetime.now(UTC)
    rows = [
        [
            one_line(one.task_id),
            one_line(one.event),
            one_line(one.state),
            str(one.attempts),
            NONE if one.next_try_at is None else age(now, max(one.next_try_at, now)),
            one_line(one.url),
            one_line(one.last_error),
        ]
        for one in deliveries
    ]
    printer.table(CALLBACKS, rows)
