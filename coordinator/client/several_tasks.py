"""Sorts what came of many submissions, and the handles that are waited for, for both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from .calls.submission import Outcome
from .errors import ClientError, NotAllAccepted
from .models.accepted_tasks import Accepted

__all__ = ["accepted_ones", "by_id"]


class _Handle(Protocol):
    @property
    def task_id(self) -> str: ...


Handle = TypeVar("Handle", bound=_Handle)


def accepted_ones(
    outcomes: Iterable[Outcome], handle: Callable[[Accepted], Handle]
) -> list[Handle]:
    """A handle for each. Raises `NotAllAccepted` where some are none. ``handle`` makes one, and raises
    nothing.
    """
    found = list(outcomes)
    handles = [handle(one) if isinstance(one, Accepted) else None for one in found]
    errors = {index: one for index, one in enumerate(found) if isinstance(one, ClientError)}
    if errors:
        raise NotAllAccepted(handles=handles, errors=errors)
    return [one for one in handles if one is not None]


def by_id(handles: Iterable[Handle]) -> dict[str, list[Handle]]:
    """In their order; those of one task together."""
    found: dict[str, list[Handle]] = {}
    for handle in handles:
        found.setdefault(handle.task_id, []).append(handle)
    return found
