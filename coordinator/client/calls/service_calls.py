"""Asks how the service is, who one is to it, and for the messages that it parked."""

from __future__ import annotations

from coordinator.client.errors import NotACoordinator
from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.service_health import (
    Caller,
    Findings,
    Health,
    ParkedMessage,
    ParkedMessages,
)

__all__ = ["findings", "health", "parked", "parked_message", "whoami"]

SERVICE = "agent-coordinator"


def health() -> Call[Health]:
    """How the service is. Raises `NotACoordinator` where another one answers."""
    return Call(request("GET", "health"), _health)


def findings() -> Call[Findings]:
    """What `coordinator doctor` says of the service. Raises `NotFound` where nothing examines it."""
    return Call(request("GET", "health", "findings"), lambda body: read_as(Findings, body))


def whoami() -> Call[Caller]:
    """Who the key is, and its roles. Raises `NotFound` where the service is older than the question."""
    return Call(request("GET", "whoami"), lambda body: read_as(Caller, body))


def parked(*, limit: int | None = None, cursor: str | None = None) -> Call[ParkedMessages]:
    """A page of the messages that could not be taken as events, the latest first."""
    asked = request("GET", "parked", query={"limit": limit, "cursor": cursor})
    return Call(asked, lambda body: read_as(ParkedMessages, body))


def parked_message(position: int) -> Call[ParkedMessage]:
    """One of them, with its properties and more of its body."""
    asked = request("GET", "parked", str(position))
    return Call(asked, lambda body: read_as(ParkedMessage, part(body, "parked")))


def _health(body: dict[str, object]) -> Health:
    if body.get("service") != SERVICE:
        raise NotACoordinator("What answers is not a coordinator's API")
    return read_as(Health, body)
