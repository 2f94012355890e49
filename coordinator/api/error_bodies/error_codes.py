"""Names each kind of error with a `code`, one word that programs compare; sentences are for people.

A word that was told once keeps its meaning: what is told apart later gets a word of its own, below the status
that it had.
"""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from coordinator.errors import (
    AgentNotFound,
    BrokerUnavailable,
    Conflict,
    GroupNotFound,
    InvalidPriority,
    InvalidRequest,
    KeyInUse,
    LaneNotFound,
    LedgerBehind,
    LedgerUnavailable,
    MessageTooLarge,
    NotAuthenticated,
    NotFound,
    OperatorError,
    OtherLedger,
    OutcomeUnknown,
    ParkedNotFound,
    PathNotFound,
    PayloadTooLarge,
    QueuesFull,
    RequestError,
    RoleMissing,
    ScheduleNotFound,
    StreamRefused,
    TaskNotFound,
    TooManyLanes,
    TooManyRequests,
    Unavailable,
    WrongState,
)

__all__ = ["CODES", "STATUS_CODES", "UNEXPECTED_CODE", "code_of"]

CODES: dict[type[Exception], str] = {
    RequestError: "bad_request",
    NotAuthenticated: "not_authenticated",
    RoleMissing: "role_missing",
    TooManyRequests: "too_many_requests",
    InvalidRequest: "invalid_request",
    RequestValidationError: "invalid_request",
    InvalidPriority: "invalid_priority",
    PayloadTooLarge: "payload_too_large",
    MessageTooLarge: "message_too_large",
    TooManyLanes: "too_many_lanes",
    Conflict: "conflict",
    KeyInUse: "key_in_use",
    WrongState: "wrong_state",
    NotFound: "not_found",
    AgentNotFound: "agent_not_found",
    GroupNotFound: "group_not_found",
    LaneNotFound: "lane_not_found",
    ParkedNotFound: "parked_not_found",
    PathNotFound: "path_not_found",
    ScheduleNotFound: "schedule_not_found",
    TaskNotFound: "task_not_found",
    Unavailable: "unavailable",
    BrokerUnavailable: "broker_unavailable",
    OtherLedger: "other_ledger",
    QueuesFull: "queues_full",
    OutcomeUnknown: "outcome_unknown",
    StreamRefused: "too_many_streams",
    LedgerUnavailable: "ledger_unavailable",
    LedgerBehind: "ledger_behind",
    OperatorError: "operator_needed",
}
"""The word of the nearest class counts."""

STATUS_CODES: dict[int, str] = {
    400: "bad_request",
    403: "origin_not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    421: "misdirected_request",
    426: "upgrade_required",
    431: "head_too_large",
    500: "internal_error",
    501: "not_implemented",
    503: "unavailable",
}
"""Of refusals that are about HTTP itself, and have a status and no class."""

UNEXPECTED_CODE = STATUS_CODES[500]


def code_of(exc: Exception) -> str:
    """The word for ``exc``; `internal_error` for what nobody expected."""
    if isinstance(exc, HTTPException):
        return STATUS_CODES.get(exc.status_code, STATUS_CODES[400])
    return next((CODES[kind] for kind in type(exc).__mro__ if kind in CODES), UNEXPECTED_CODE)
