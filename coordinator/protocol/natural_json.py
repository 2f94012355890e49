"""Reads the data of an event or a request as clients of any language write it.

Null is what was not given (Go writes it for empty slices and maps). An empty array is an empty object
where one is meant (PHP), and the other way round (Lua). A time may be written as Ruby does. What a model
can spare and cannot be read is left out, so that a sign of life or an outcome is not lost over it.

Well-formed data is validated once, as it is: only what a model refuses is looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from .cloudevents import instant

__all__ = ["LeftOut", "read_model", "read_what_can_be"]

M = TypeVar("M", bound=BaseModel)
Path = tuple[int | str, ...]

ROUNDS = 6
"""Times that data is validated anew: each may show what the one before did not reach."""

MOST_ERRORS = 100
"""In one round: what has more was not meant for the model."""

_OBJECTS = frozenset({"dict_type", "model_type", "model_attributes_type", "mapping_type"})
_LISTS = frozenset({"list_type"})
_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A part of an event that could not be read and was not needed."""

    field: str
    """Its path, such as `running.0.started_at`, in which `time` is the event's own."""
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


def read_model(model: type[M], source: Any) -> M:
    """``source`` is JSON as bytes, or what was parsed of it. Raises `ValidationError`."""
    return read_what_can_be(model, source, spares=_nothing)[0]


def read_what_can_be(
    model: type[M], source: Any, *, spares: Callable[[str], bool]
) -> tuple[M, tuple[LeftOut, ...]]:
    """The same without what cannot be read of the top-level fields for which ``spares`` is true, or
    without a part of such a field; and what that is. Raises `ValidationError`.
    """
    try:
        return _validated(model, source), ()
    except ValidationError as exc:
        refused = exc
    value = _parsed(source, refused)
    left_out: list[LeftOut] = []
    for _ in range(ROUNDS):
        mends = _mends(refused, spares, left_out)
        if not mends:
            break
        for path, new in sorted(mends.items(), key=lambda mend: _order(mend[0]), reverse=True):
            value = _replaced(value, path, new)
        try:
            return model.model_validate(value), tuple(left_out)
        except ValidationError as exc:
            refused = exc
    raise refused


def _nothing(_: str) -> bool:
    return False


def _validated(model: type[M], source: Any) -> M:
    if isinstance(source, bytes):
        return model.model_validate_json(source)
    return model.model_validate(source)


def _parsed(source: Any, refused: ValidationError) -> Any:
    if not isinstance(source, bytes):
        return source
    try:
        return from_json(source)
    except ValueError:
        raise refused from None


def _mends(
    refused: ValidationError, spares: Callable[[str], bool], left_out: list[LeftOut]
) -> dict[Path, Any]:
    """What to put where, so that less is refused; nothing where too much is."""
    if refused.error_count() > MOST_ERRORS:
        return {}
    mends: dict[Path, Any] = {}
    for error in refused.errors(include_url=False, include_context=False):
        path = error["loc"]
        if not path:
            continue
        missing = error["type"] == "missing"
        if not missing and (new := _meant(error)) is not None:
            mends[path] = new
        elif spares(str(path[0])) and (len(path) > 1 or not missing):
            spared = path[:-1] if missing else path
            mends[spared] = _ABSENT
            left_out.append(LeftOut(field=_dotted(path), why=error["msg"]))
    return _outermost(mends)


def _meant(error: ErrorDetails) -> Any:
    """What is meant by null, by an array or an object that is empty, and by a time; None for what else
    there is.
    """
    given, kind = error["input"], error["type"]
    if given is None:
        return _ABSENT
    if given == [] and kind in _OBJECTS:
        return {}
    if given == {} and kind in _LISTS:
        return []
    if kind.startswith("datetime") and isinstance(given, str):
        return instant(given)
    return None


def _outermost(mends: dict[Path, Any]) -> dict[Path, Any]:
    """Without those inside of another that is left out."""
    gone = [path for path, new in mends.items() if new is _ABSENT]
    return {
        path: new
        for path, new in mends.items()
        if not any(len(one) < len(path) and path[: len(one)] == one for one in gone)
    }


def _order(path: Path) -> tuple[tuple[bool, Any], ...]:
    """Items of a list by number, so that they are taken out from the end."""
    return tuple((isinstance(part, int), part) for part in path)


def _replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy of ``value`` with ``new`` at ``path``; as it is where it has no such place."""
    key, rest = path[0], path[1:]
    if isinstance(value, dict) and key in value:
        copy: Any = dict(value)
    elif isinstance(value, list) and isinstance(key, int) and key < len(value):
        copy = list(value)
    else:
        return value
    if rest:
        copy[key] = _replaced(copy[key], rest, new)
    elif new is _ABSENT:
        del copy[key]
    else:
        copy[key] = new
    return copy


def _dotted(path: Iterable[int | str]) -> str:
    return ".".join(map(str, path))
