"""Hands the caller of a request to its route, and to an endpoint as its parameter `caller`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.types import Scope

from coordinator.access.principal import ANYBODY, Principal

__all__ = ["CALLER", "STILL_COUNTS", "Caller", "address_of", "caller_of", "still_counts_of"]

CALLER = "coordinator.caller"
"""Where `Authentication` leaves the principal in the scope of a request."""


STILL_COUNTS = "coordinator.still_counts"
"""Where it leaves, in the scope of a stream, how to ask later whether the credential still counts."""


def caller_of(scope: Scope) -> Principal:
    """`ANYBODY` where authentication is off."""
    caller: Principal = scope.get(CALLER, ANYBODY)
    return caller


def still_counts_of(scope: Scope) -> Callable[[], Awaitable[bool]]:
    """For a stream, which outlasts the moment at which its caller was known. Raises nothing."""
    return cast("Callable[[], Awaitable[bool]]", scope.get(STILL_COUNTS, _always))


async def _always() -> bool:
    return True


def address_of(scope: Scope) -> str | None:
    """The address that the request came from."""
    client = scope.get("client")
    return None if client is None else str(client[0])


async def _caller(request: Request) -> Principal:
    return caller_of(request.scope)


Caller = Annotated[Principal, Depends(_caller)]
"""The type of an endpoint's parameter that is given who calls."""
