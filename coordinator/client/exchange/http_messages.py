"""Holds a request to the API and its answer as plain data, whatever sends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from coordinator.client.errors import Unsendable

__all__ = ["ApiAnswer", "ApiRequest", "Call", "json_bytes", "request"]

Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """Asks for one thing, below the base URL of whoever sends it."""

    method: str
    path: str
    """Encoded, with its query."""
    body: bytes | None = None
    """JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Without credentials: who sends it has them."""
    repeatable: bool = False
    """Whether to send it twice comes to the same as once."""
    patience: float | None = None
    """Seconds for the answer to begin, where that takes longer than usual."""

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAnswer:
    """Is what came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Call(Generic[Result_co]):
    """Is a request, and how the JSON of its answer is read. ``read`` is called with the object of a good
    answer; it raises `NotACoordinator` where that is of another shape.
    """

    request: ApiRequest
    read: Callable[[dict[str, Any]], Result_co]


def request(
    method: str,
    *path: str,
    query: Mapping[str, Any] | None = None,
    json_body: Any = None,
    repeatable: bool | None = None,
    idempotency_key: str | None = None,
) -> ApiRequest:
    """``path`` is in segments, which are encoded here. Of ``query`` and of a body that is a mapping, what is
    None is left out; a list in the query is one parameter for each value. GET is repeatable, and so is
    what has an ``idempotency_key``. Raises `Unsendable`, and `TypeError` where ``json_body`` has what is
    never JSON.
    """
    where = "/" + "/".join(map(_segment, path))
    asked = _query(query or {})
    if repeatable is None:
        repeatable = method == "GET" or idempotency_key is not None
    headers = {} if idempotency_key is None else {"Idempotency-Key": _header(idempotency_key)}
    return ApiRequest(
        method=method,
        path=f"{where}?{asked}" if asked else where,
        body=_encoded(json_body),
        headers=headers,
        repeatable=repeatable,
    )


def _segment(text: str) -> str:
    """Whoever sends a path takes `.` and `..` out of it, so that another path would be asked for."""
    if text in ("", ".", ".."):
        raise Unsendable(f"{text!r} cannot be in a path, and is the id or the name of nothing")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as exc:
        raise Unsendable(f"{text!r} is no text in UTF-8, as ids and names are") from exc


def _query(query: Mapping[str, Any]) -> str:
    try:
        return urlencode([*_pairs(query)])
    except UnicodeEncodeError as exc:
        raise Unsendable(f"{exc.object!r} is no text in UTF-8") from exc


def _header(key: str) -> str:
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise Unsendable(f"{key!r} is no Idempotency-Key: one is printable ASCII")
    return key


def _pairs(query: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in query.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else [value]
        yield from ((name, _word(one)) for one in values if one is not None)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _encoded(body: Any) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, Mapping):
        body = {name: value for name, value in body.items() if value is not None}
    return json_bytes(body)


def json_bytes(body: Any) -> bytes:
    """Raises `Unsendable`, and `TypeError` for what is never JSON."""
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":"), default=_plain).encode()
    except ValueError as exc:
        raise Unsendable(f"What is to be sent cannot be JSON: {_reason(exc)}") from exc
    except RecursionError as exc:
        raise Unsendable("What is to be sent is nested too deep for JSON") from exc


def _reason(exc: ValueError) -> str:
    said = str(exc)
    return "it has a number that is NaN or infinite" if said.startswith("Out of range") else said


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a value of the type {type(value).__name__} is not JSON")
