"""Reads the JSON of an answer into dataclasses, and passes over what it does not know."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from coordinator.client.errors import NotACoordinator

from .http_messages import ApiAnswer

__all__ = ["json_object", "part", "read_as"]

Result = TypeVar("Result")


def json_object(answer: ApiAnswer) -> dict[str, Any]:
    """The object that the body is. Raises `NotACoordinator`."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as exc:
        raise NotACoordinator(_OTHER) from exc
    if not isinstance(found, dict):
        raise NotACoordinator(_OTHER)
    return found


def read_as(kind: type[Result], value: Any) -> Result:
    """``value`` as a dataclass of this ``kind``. What it does not declare is left out, since newer services
    tell more. Raises `NotACoordinator` where a value is of another type.
    """
    try:
        adapter: TypeAdapter[Result] = _adapter(cast("Any", kind))
        found = adapter.validate_python(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise NotACoordinator(
            f"The answer is not a {kind.__name__} as this client knows it: {where}: {first['msg']}"
        ) from None
    return found


def part(body: dict[str, Any], name: str) -> Any:
    """What the answer has under ``name``. Raises `NotACoordinator`."""
    if name not in body:
        raise NotACoordinator(f"The answer has no {name!r}: {_OTHER}")
    return body[name]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_OTHER = "What answers is not a coordinator's API"
