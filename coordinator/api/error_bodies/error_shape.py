"""Puts the sentence and the code of an error into the body that all errors have."""

from __future__ import annotations

from typing import Any

from coordinator.api.wire.fields.instants import timestamp

from .error_codes import STATUS_CODES

__all__ = ["error_shape", "refusal_shape"]


def error_shape(detail: str, code: str) -> dict[str, Any]:
    """The body, as `wire.errors.Error` describes it, without what single statuses add."""
    return {
        "detail": detail,
        "status": "error",
        "message": detail,
        "code": code,
        "timestamp": timestamp(),
    }


def refusal_shape(status: int, sentence: str) -> dict[str, Any]:
    """The body of a refusal that is about HTTP itself; ``status`` is one of `STATUS_CODES`."""
    return error_shape(sentence, STATUS_CODES[status])
