"""Remembers what agents ever offered, so that a task that asks for what nobody ever had is told so.

An agent that goes away leaves the registry, and what it could do is remembered here: "nobody has this
now" and "nobody ever had it" are different things to a producer, for the second is most often a typing
error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.protocol.messages.events import AgentRegistered, Event
from coordinator.protocol.requirements import Requirements

from .bulk_statements import insert_new
from .schema import offered

__all__ = ["add_offered", "announced_types", "never_offered"]

_Offer = tuple[str, str]

_WORDS = {
    "agent": "is called",
    "type": "has the type",
    "capability": "has the capability",
    "service": "has the service",
    "task": "does tasks of the type",
}


def add_offered(connection: Connection, events: Iterable[Event]) -> None:
    """Remember what the registrations among ``events`` offer."""
    found = {
        offer
        for event in events
        if isinstance(event.data, AgentRegistered)
        for offer in _offers(event.data)
    }
    rows = [{"kind": kind, "name": name} for kind, name in sorted(found)]
    insert_new(connection, offered, ["kind", "name"], rows)


def announced_types(connection: Connection) -> set[str]:
    """The types of tasks that any agent ever announced."""
    query = sa.select(offered.c.name).where(offered.c.kind == "task")
    return set(connection.execute(query).scalars())


def never_offered(wanted: Requirements, connection: Connection) -> list[str]:
    """What of ``wanted`` no agent ever had, a sentence each."""
    asked = list(_asked(wanted))
    query = sa.select(offered).where(sa.tuple_(offered.c.kind, offered.c.name).in_(asked))
    known = {(row.kind, row.name) for row in connection.execute(query)} if asked else set()
    return [
        f"No agent that ever registered {_WORDS[kind]} {name!r}."
        for kind, name in asked
        if (kind, name) not in known
    ]


def _offers(data: AgentRegistered) -> Iterator[_Offer]:
    yield "agent", data.agent_id
    yield "type", data.agent_type
    yield from (("capability", name) for name in data.capabilities)
    yield from (("service", name) for name in data.services)
    yield from (("task", name) for name in data.task_types or ())


def _asked(wanted: Requirements) -> Iterator[_Offer]:
    if wanted.agent_id is not None:
        yield "agent", wanted.agent_id
    if wanted.agent_type is not None:
        yield "type", wanted.agent_type
    yield from (("capability", name) for name in wanted.capabilities)
    yield from (("service", name) for name in wanted.services)
    if wanted.task_type is not None:
        yield "task", wanted.task_type
