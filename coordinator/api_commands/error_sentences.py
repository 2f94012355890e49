"""Says in one line what went wrong with a call of the API, and which exit status that is."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator.client import (
    ApiError,
    ClientError,
    Misconfigured,
    NotACoordinator,
    NotAllAccepted,
    NotAuthenticated,
    NotReached,
    NotSent,
    RoleMissing,
    ServerError,
    TaskNotCompleted,
    TooManyRequests,
    Unavailable,
    Unsendable,
    WaitTimedOut,
)

from .exit_statuses import NOT_COMPLETED, REFUSED, TIME_OVER, UNREACHABLE, USAGE

__all__ = ["sentence_of", "status_of"]

_NAME_ANOTHER = "name another address with --url or COORDINATOR_URL"

_GIVE_KEY = (
    "give one in COORDINATOR_KEY, in the file that COORDINATOR_KEY_FILE names, or with --key-file"
)


def status_of(error: ClientError) -> int:
    """The exit status of a command that ends with it."""
    if isinstance(error, NotAllAccepted):
        return status_of(error.errors[min(error.errors)])
    return next((status for kinds, status in _STATUSES if isinstance(error, kinds)), REFUSED)


_STATUSES: Sequence[tuple[tuple[type[ClientError], ...], int]] = (
    ((Misconfigured, Unsendable), USAGE),
    ((NotReached, NotACoordinator, TooManyRequests, Unavailable, ServerError), UNREACHABLE),
    ((WaitTimedOut,), TIME_OVER),
    ((TaskNotCompleted,), NOT_COMPLETED),
)
"""What is in none of them, the service refuses."""


def sentence_of(error: ClientError, url: str) -> str:
    """That of the service where it has answered; else what to do. ``url`` is where the API was looked for."""
    said = str(error)
    match error:
        case Misconfigured():
            said = _misconfigured(said)
        case NotSent():
            said = f"{said}: start one with `coordinator up`, or {_NAME_ANOTHER}"
        case NotACoordinator():
            said = f"What answers at {url} is not a coordinator's API ({said}): {_NAME_ANOTHER}"
        case NotAuthenticated():
            said = f"{error.detail} ({_GIVE_KEY})"
        case RoleMissing():
            said = f"{error.detail} ({error.request})"
        case ApiError():
            said = _api_sentence(error)
    return said


def _api_sentence(error: ApiError) -> str:
    reason = error.body.get("reason")
    why = f" ({reason})" if isinstance(reason, str) else ""
    later = f" (it asks to wait {error.retry_after:g} s)" if error.retry_after else ""
    return f"{error.detail}{why}{later}"


def _misconfigured(said: str) -> str:
    if said.startswith("The address "):
        return f"--url {said.removeprefix('The address ')}"
    return said if said.startswith(("The ", "COORDINATOR_")) else f"--url {said}"
