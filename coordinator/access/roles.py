"""Names the roles of callers of the API, and which role implies others."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["Role", "with_implied"]


class Role(StrEnum):
    """Grants a part of the API."""

    READER = "reader"  #: sees everything that is no secret of somebody else
    PRODUCER = "producer"  #: submits; sees, cancels and waits for its own tasks
    AGENT = "agent"  #: registers, beats and states the status of the one id in its credential
    OPERATOR = "operator"  #: clears, drains, redrives, deletes, schedules; others' tasks
    ADMIN = "admin"  #: everything; the only one to register and remove any agent


_IMPLIED: dict[Role, frozenset[Role]] = {
    Role.OPERATOR: frozenset({Role.READER, Role.PRODUCER}),
    Role.ADMIN: frozenset({Role.READER, Role.PRODUCER, Role.OPERATOR}),
}


def with_implied(roles: Iterable[Role]) -> frozenset[Role]:
    """``roles``, and what each of them implies."""
    given = frozenset(roles)
    return given.union(*(_IMPLIED.get(role, frozenset()) for role in given))
