"""Hands the caller of a request to its route, and to an endpoint as its parameter `caller`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from coordinator.access.principal import ANYBODY, Principal

__all__ = ["CALLER", "Caller", "address_of", "caller_of"]

CALLER = "coordinator.caller"
"""Where `Authentication` leaves the principal in the scope of a request."""


def caller_of(scope: Scope) -> Principal:
    """`ANYBODY` where authentication is off."""
    caller: Principal = scope.get(CALLER, ANYBODY)
    return caller


def address_of(scope: Scope) -> str | None:
    """The address that the request came from."""
    client = scope.get("client")
    return None if client is None else str(client[0])


async def _caller(request: Request) -> Principal:
    return caller_of(request.scope)


Caller = Annotated[Principal, Depends(_caller)]
"""The type of an endpoint's parameter that is given who calls."""
