"""Computes what a load needs of each part, from what each part was measured to cost.

    python -m tests.benchmarks.capacity_model

prints the table of docs/operations/scale.md. Nothing is measured here: `MEASURED` holds what the benchmarks
beside it found. Costs add up in proportion, which is the best that can happen; what a part waits for another
is not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LOADS", "MEASURED", "Costs", "Load", "Needs", "needs", "table"]

DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Holds what one task, event or agent costs: CPU in seconds of one core, memory and disk in bytes."""

    serve: float
    """Of the process that answers HTTP, for a task that is submitted alone."""
    project: float
    """Of the projector, for an event that is decoded and folded."""
    database: float
    """Of PostgreSQL, for an event."""
    submit: float
    """Of the broker, for a task that is submitted, to its record in the log."""
    deliver: float
    """Of the broker, for a task that is taken, told of and acknowledged."""
    work: float
    """Of the agents, for a task, without what its handler does."""
    beat: float
    """Of the broker, for a heartbeat that one coordinator hears."""
    hear: float
    """Of each coordinator, for a heartbeat."""
    agent_memory: float
    """Of the broker, for an agent that is connected."""
    known_memory: float
    """Of each coordinator, for an agent that it knows."""
    stored: float
    """On PostgreSQL's disk, for a task with three events, indexes included."""
    events: int
    """Of a task that goes well: submitted, started, completed."""
    between_beats: float
    """Seconds between two heartbeats of an agent."""


MEASURED = Costs(
    serve=180e-6,
    project=54e-6,
    database=48e-6,
    submit=92e-6,
    deliver=47e-6,
    work=105e-6,
    beat=39e-6,
    hear=31e-6,
    agent_memory=0.53 * 2**20,
    known_memory=6_000,
    stored=3_700,
    events=3,
    between_beats=9.0,
)
"""Two cores of a virtual machine, RabbitMQ 3.10.8 with one node, PostgreSQL 15 with its files in memory."""


@dataclass(frozen=True, slots=True)
class Load:
    tasks: int
    """A second."""
    agents: int
    coordinators: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Holds cores (of 100 % each), GiB of memory, and GiB a day of disk."""

    serving: float
    projecting: float
    """More than one is more than one projector can have."""
    database: float
    broker: float
    agents: float
    broker_memory: float
    coordinator_memory: float
    """Of each."""
    connections: int
    """To the broker: two for each agent, three for each coordinator."""
    rows: float
    """That are written to the database a second: one for each event, and one for the task in each batch."""
    disk: float


def needs(load: Load, costs: Costs = MEASURED) -> Needs:
    """What ``load`` takes where every part is as large as it has to be."""
    beats = load.agents / costs.between_beats
    events = load.tasks * costs.events
    heard = beats * load.coordinators
    return Needs(
        serving=load.tasks * costs.serve + heard * costs.hear,
        projecting=events * costs.project,
        database=events * costs.database,
        # A heartbeat is delivered to each coordinator; the first is in the measured cost.
        broker=load.tasks * (costs.submit + costs.deliver)
        + beats * costs.beat * (1 + (load.coordinators - 1) / 2),
        agents=load.tasks * costs.work,
        broker_memory=load.agents * costs.agent_memory / 2**30,
        coordinator_memory=load.agents * costs.known_memory / 2**30,
        connections=2 * load.agents + 3 * load.coordinators,
        rows=events + load.tasks,
        disk=load.tasks * costs.stored * DAY / 2**30,
    )


LOADS = (
    Load(100, 100, 1),
    Load(1_000, 1_000, 1),
    Load(1_000, 10_000, 2),
    Load(6_000, 10_000, 2),
    Load(20_000, 10_000, 4),
    Load(100_000, 100_000, 20),
)

_COLUMNS = (
    *("tasks/s", "agents", "coordinators", "HTTP, cores", "projector, cores", "PostgreSQL, cores"),
    *("broker, cores", "broker, GiB", "connections", "rows/s", "disk, GiB a day"),
)


def table(loads: Sequence[Load] = LOADS, costs: Costs = MEASURED) -> str:
    """One line for each of ``loads``, in Markdown."""
    lines = [list(_COLUMNS), ["---:" for _ in _COLUMNS]]
    for load in loads:
        found = needs(load, costs)
        lines.append(
            [
                *(_whole(load.tasks), _whole(load.agents), str(load.coordinators)),
                *(_cores(found.serving), _cores(found.projecting), _cores(found.database)),
                *(_cores(found.broker), f"{found.broker_memory:.1f}", _whole(found.connections)),
                *(_whole(found.rows), _whole(found.disk)),
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _whole(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def _cores(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    print(table())
