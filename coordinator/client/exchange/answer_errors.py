"""Makes the error of the tree that an answer is, and reads `Retry-After`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from coordinator.client.errors import (
    ApiError,
    Conflict,
    InvalidRequest,
    NotACoordinator,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    PayloadTooLarge,
    RoleMissing,
    ServerError,
    TooManyRequests,
    Unavailable,
)

from .answer_reading import json_object
from .http_messages import ApiAnswer, ApiRequest

__all__ = ["error_of", "error_of_verdict", "retry_after_of"]

_KINDS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: RoleMissing,
    404: NotFound,
    409: Conflict,
    413: PayloadTooLarge,
    429: TooManyRequests,
    503: Unavailable,
}

_OF_PROXIES = frozenset({413, 429, 502, 503, 504})
"""Answers that proxies give in the place of the service, with a body of their own."""

LONGEST_DETAIL = 500
"""Characters of a body that is no JSON."""


def error_of(answer: ApiAnswer, request: ApiRequest) -> ApiError | NotACoordinator | None:
    """None for a good answer."""
    if 200 <= answer.status < 300:
        return None
    if 300 <= answer.status < 400:
        return NotACoordinator(
            f"{request} answered {answer.status}, a redirect, which is not followed, since the key would go"
            " with it: give the address that it leads to"
        )
    try:
        body = json_object(answer)
        detail = body["detail"]
    except (NotACoordinator, KeyError):
        if answer.status not in _OF_PROXIES and answer.status < 500:
            return NotACoordinator(f"{request} answered {answer.status}, not as a coordinator does")
        body, detail = {}, _said_by_proxy(answer)
    retry_after = retry_after_of(answer.headers, now=datetime.now(UTC))
    return _kind(answer.status, retry_after)(
        status=answer.status,
        detail=str(detail),
        request=str(request),
        request_id=answer.headers.get("x-request-id"),
        retry_after=retry_after,
        body=body,
    )


def _said_by_proxy(answer: ApiAnswer) -> str:
    """A page of HTML is for browsers: of it the sentence has nothing."""
    text = answer.body[:LONGEST_DETAIL].decode(errors="replace").strip()
    if text.startswith("<") or "html" in answer.headers.get("content-type", ""):
        return "a page of HTML, as a proxy before the coordinator gives one"
    return text or "no reason given"


def error_of_verdict(verdict: Mapping[str, Any], request: ApiRequest) -> ApiError:
    """What one task of a batch would have been answered alone: its `error`."""
    status = int(verdict.get("status_code", 500))
    # A verdict has no headers: one of these with another try to come was found before anything was done.
    retry_after = 1.0 if status == 503 else None
    return _kind(status, retry_after)(
        status=status,
        detail=str(verdict.get("detail", "no reason given")),
        request=str(request),
        retry_after=retry_after,
        body=verdict,
    )


def _kind(status: int, retry_after: float | None) -> type[ApiError]:
    if status == 503 and retry_after is None:
        return OutcomeUnknown
    return _KINDS.get(status, ServerError if status >= 500 else InvalidRequest)


def retry_after_of(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds; None where there is no such header, or it cannot be understood. A date that is over is 0."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:12])
    try:
        when = parsedate_to_datetime(told)
    except (TypeError, ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())
