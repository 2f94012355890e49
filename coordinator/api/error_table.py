"""Maps errors to statuses, in one table, and writes the sentences that the contract prescribes.

Every error's body is that of `error_bodies`. What else is in it depends on the kind:

    422   errors: [{field, message}, …]
    503   reason: why; with an unknown outcome: task_id
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from coordinator.api.error_bodies import code_of, error_shape
from coordinator.api.json_answer import ErrorAnswer
from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidPriority,
    InvalidRequest,
    KeyInUse,
    NotAuthenticated,
    NotFound,
    OperatorError,
    OutcomeUnknown,
    PayloadTooLarge,
    RequestError,
    RoleMissing,
    TooManyLanes,
    TooManyRequests,
    Unavailable,
    WrongState,
)

__all__ = [
    "DISTRIBUTING",
    "NO_DISTRIBUTOR",
    "RETRY_AFTER",
    "STATUSES",
    "UNEXPECTED",
    "answer_error",
    "error_body",
    "field_error",
    "status_of",
]

logger = logging.getLogger(__name__)

STATUSES: dict[type[Exception], int] = {
    InvalidPriority: 400,
    InvalidRequest: 422,
    TooManyLanes: 422,
    PayloadTooLarge: 413,
    Conflict: 409,
    WrongState: 409,
    NotFound: 404,
    RequestError: 400,
    Unavailable: 503,
    OperatorError: 503,
    NotAuthenticated: 401,
    RoleMissing: 403,
    TooManyRequests: 429,
    RequestValidationError: 422,
}
"""The status of the nearest class counts; what is not here is a 500."""

NO_DISTRIBUTOR = "Task distributor not available"
"""What the contract says where the broker is away."""

RETRY_AFTER = 5
"""Seconds: the longest pause between two attempts to reach the broker."""

NO_OBJECT = "Input should be a valid dictionary"
"""Where an object is meant: pydantic's own sentences for a model speak of attributes, or of the class, which
no caller knows, and differ by who calls it.
"""

_NO_OBJECT = frozenset({"model_type", "model_attributes_type"})

MOST_FIELD_ERRORS = 10
"""A list of a million wrong values is not answered with a million sentences."""

UNEXPECTED = {
    "register_agent": "Failed to register agent",
    "discover_agents": "Error discovering agents",
    "get_agent": "Error getting agent",
    "update_agent_status": "Error updating agent status",
    "agent_heartbeat": "Error processing heartbeat",
    "remove_agent": "Error removing agent",
    "drain_agent": "Error draining agent",
    "submit_task": "Error submitting task",
    "submit_batch": "Error submitting tasks",
    "get_task_status": "Error getting task status",
    "get_queue_sizes": "Error getting queue sizes",
    "get_queue_stats": "Error getting queue stats",
    "clear_queue": "Error clearing queue",
    "retire_lane": "Error retiring lane",
    "get_task": "Error getting task",
    "cancel_task": "Error cancelling task",
    "answer_task": "Error answering task",
    "retry_task": "Error retrying task",
    "delete_task": "Error deleting task",
    "get_dead_tasks": "Error getting dead tasks",
    "redrive_dead_tasks": "Error redriving dead tasks",
    "get_group": "Error getting group",
    "wait_for_group": "Error waiting for group",
    "cancel_group": "Error cancelling group",
    "list_tasks": "Error listing tasks",
    "list_task_events": "Error getting task events",
    "wait_for_task": "Error waiting for task",
    "stream_events": "Error streaming events",
    "stream_task": "Error streaming task",
    "subscribe": "Error subscribing",
    "list_agents": "Error listing agents",
    "list_agent_tasks": "Error listing tasks of agent",
    "get_findings": "Error examining the service",
    "list_parked": "Error listing parked messages",
    "get_parked": "Error getting parked message",
    "explain_task": "Error explaining task",
    "list_callbacks": "Error listing callbacks",
    "redrive_callbacks": "Error redriving callbacks",
    "create_schedule": "Error creating schedule",
    "list_schedules": "Error listing schedules",
    "get_schedule": "Error getting schedule",
    "edit_schedule": "Error changing schedule",
    "run_schedule": "Error running schedule",
    "pause_schedule": "Error pausing schedule",
    "resume_schedule": "Error resuming schedule",
    "delete_schedule": "Error deleting schedule",
}
"""By endpoint: the beginning of the sentence of a 500."""

DISTRIBUTING = frozenset(
    {
        "submit_task",
        "submit_batch",
        "get_task_status",
        "get_queue_sizes",
        "get_queue_stats",
        "clear_queue",
    }
)
"""The endpoints that answer `NO_DISTRIBUTOR` without the broker."""


def status_of(exc: Exception) -> int:
    """The status that a request ends with where it raises ``exc``; 500 for what nobody expected."""
    if isinstance(exc, HTTPException):
        return exc.status_code
    return next((STATUSES[kind] for kind in type(exc).__mro__ if kind in STATUSES), 500)


def answer_error(exc: Exception, endpoint: str) -> ErrorAnswer:
    """The answer to a request that ended in ``exc``; what nobody expected is logged, with its
    traceback, which stays here.
    """
    status, body = error_body(exc, endpoint)
    headers: dict[str, str] = {}
    if isinstance(exc, HTTPException):
        headers.update(exc.headers or {})
    if status == 503 and not isinstance(exc, OutcomeUnknown):
        # Whoever repeats an unknown outcome blindly, without the id, may have the work done twice.
        headers["Retry-After"] = str(RETRY_AFTER)
    elif isinstance(exc, KeyInUse):
        headers["Retry-After"] = "1"
    headers |= _access_headers(exc)
    return ErrorAnswer(body, status_code=status, headers=headers)


def _access_headers(exc: Exception) -> dict[str, str]:
    """Of RFC 6750, and how long to wait."""
    match exc:
        case NotAuthenticated():
            wrong = "" if str(exc) == _NO_CREDENTIAL else ', error="invalid_token"'
            return {"WWW-Authenticate": f"{CHALLENGE}{wrong}"}
        case RoleMissing():
            challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{exc.role}"'
            return {"WWW-Authenticate": challenge}
        case TooManyRequests():
            return {"Retry-After": str(max(1, math.ceil(exc.retry_after)))}
    return {}


CHALLENGE = 'Bearer realm="agent-coordinator"'

_NO_CREDENTIAL = str(NotAuthenticated())


def error_body(exc: Exception, endpoint: str) -> tuple[int, dict[str, Any]]:
    """The status, and the body, of an answer or of a part of one."""
    status = status_of(exc)
    told: dict[str, Any] = {"detail": str(exc)}
    if isinstance(exc, HTTPException):
        told["detail"] = exc.detail
    elif isinstance(exc, RequestValidationError):
        told["errors"] = [field_error(error) for error in exc.errors()[:MOST_FIELD_ERRORS]]
        told["detail"] = _sentence(told["errors"])
    elif isinstance(exc, InvalidRequest) and status == 422:
        told["errors"] = [{"field": exc.field or "", "message": str(exc)}]
    elif status == 503:
        _explain_503(exc, endpoint, told)
    elif status == 500:
        logger.error("an unexpected error", exc_info=exc, extra={"endpoint": endpoint})
        prefix = UNEXPECTED.get(endpoint, "Internal error")
        told["detail"] = f"{prefix}: {_unexpected(exc)}"
    return status, error_shape(told["detail"], code_of(exc)) | told


def _unexpected(exc: Exception) -> str:
    """A model of the inside that refuses a value speaks of what no caller knows; so do the further lines
    of a driver's error, which tell the statement.
    """
    if isinstance(exc, ValidationError):
        return "something inside is not of its shape; the log of the coordinator says what"
    return next(iter(str(exc).splitlines()), "") or type(exc).__name__


def _explain_503(exc: Exception, endpoint: str, body: dict[str, Any]) -> None:
    if isinstance(exc, OutcomeUnknown):
        if exc.task_id is not None:
            body["task_id"] = exc.task_id
            body["detail"] = (
                "The broker has not answered in time; it may have been accepted: ask"
                f" GET /tasks/{quote(exc.task_id, safe='')}, or submit again with this id"
                " (as task_data.task_id)"
            )
        return
    if isinstance(exc, OperatorError):
        logger.error("%s", exc, extra={"endpoint": endpoint})
    if isinstance(exc, BrokerUnavailable | OperatorError) and endpoint in DISTRIBUTING:
        body["detail"] = NO_DISTRIBUTOR
        body["reason"] = str(exc)


def field_error(error: Any) -> dict[str, str]:
    """What is wrong with one field, of what pydantic tells; the first part of its place is the message's own
    name, such as `body`.
    """
    where = [str(part) for part in error["loc"]]
    if error["type"] == "json_invalid":
        return {"field": "body", "message": f"The body is not valid JSON: {error['ctx']['error']}"}
    if where == ["body"]:
        message = "The body must be a JSON object, sent with Content-Type: application/json"
        return {"field": "body", "message": message}
    field = ".".join(where[1:])
    if error["type"] == "missing":
        return {"field": field, "message": f"{field} is required"}
    message = NO_OBJECT if error["type"] in _NO_OBJECT else str(error["msg"])
    message = message.removeprefix(_OF_A_VALIDATOR)
    return {"field": field, "message": f"{field}: {message[:1].lower()}{message[1:]}"}


_OF_A_VALIDATOR = "Value error, "
"""What pydantic puts before the sentence of a validator."""


def _sentence(errors: Sequence[dict[str, str]]) -> str:
    return "; ".join(error["message"] for error in errors)
