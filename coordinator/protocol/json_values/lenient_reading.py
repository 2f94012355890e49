"""Reads the data of an event or a request as clients of any language write it.

Null is what was not given (Go writes it for empty slices and maps). An empty array is an empty object
where one is meant (PHP), and the other way round (Lua); an object whose keys are numbers is a list (PHP,
of an array from which something was taken). A whole number is its digits where a text is meant (PHP makes
one of a key). A time may be written as Ruby does. A mark of the byte order before the JSON is passed over
(.NET). What a model can spare and cannot be read is left out, so that a sign of life or an outcome is not
lost over it.

Well-formed data is validated once, as it is: only what a model refuses is looked at here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

from .json_instants import instant

__all__ = ["LeftOut", "read_model", "read_what_can_be"]

M = TypeVar("M", bound=BaseModel)
Path = tuple[int | str, ...]

ROUNDS = 6
"""Times that data is validated anew: each may show what the one before did not reach."""

MOST_ERRORS = 1000
"""In one round, that are looked at one by one: of what has more, whole fields are left out."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_AMQP_1_0 = b"\x00S"
"""How a body begins that was sent over AMQP 1.0 and not as a data section: RabbitMQ leaves it encoded."""

_OBJECTS = frozenset({"dict_type", "model_type", "model_attributes_type", "mapping_type"})
_LISTS = frozenset({"list_type"})
_TEXTS = frozenset({"string_type"})
_INDEX = re.compile(r"[0-9]{1,9}")
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
    """The same without what cannot be read of the fields for whose path ``spares`` is true, such as
    `error.traceback`, or without a part of such a field; and what that is. Raises `ValidationError`.
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
        if source.startswith(_AMQP_1_0):
            raise _not_data(model)
        return model.model_validate_json(source.removeprefix(BYTE_ORDER_MARK))
    return model.model_validate(source)


def _not_data(model: type[BaseModel]) -> ValidationError:
    why = PydanticCustomError(
        "amqp_value", "the body is a value of AMQP 1.0: send the JSON as a data section"
    )
    return ValidationError.from_exception_data(model.__name__, [{"type": why, "input": None}])


def _parsed(source: Any, refused: ValidationError) -> Any:
    if not isinstance(source, bytes):
        return source
    try:
        return from_json(source.removeprefix(BYTE_ORDER_MARK))
    except ValueError:
        raise refused from None


def _mends(
    refused: ValidationError, spares: Callable[[str], bool], left_out: list[LeftOut]
) -> dict[Path, Any]:
    """What to put where, so that less is refused; nothing where too much is."""
    mends: dict[Path, Any] = {}
    whole = refused.error_count() > MOST_ERRORS
    for error in refused.errors(include_url=False, include_context=False):
        path = error["loc"]
        if not path:
            continue
        missing = error["type"] == "missing"
        if whole:
            if spares(str(path[0])) and path[:1] not in mends:
                mends[path[:1]] = _ABSENT
                left_out.append(
                    LeftOut(field=str(path[0]), why=f"{error['msg']} ({_dotted(path)})")
                )
        elif not missing and (new := _meant(error)) is not None:
            mends[path] = new
        elif spares(_dotted(path)) and (len(path) > 1 or not missing):
            spared = path[:-1] if missing else path
            mends[spared] = _ABSENT
            left_out.append(LeftOut(field=_dotted(path), why=error["msg"]))
    return _outermost(mends)


def _meant(error: ErrorDetails) -> Any:
    """What is meant by null, by an array or an object that is empty or takes the other's place, by a number
    for a text, and by a time; None for what else there is.
    """
    given, kind = error["input"], error["type"]
    if given is None:
        return _ABSENT
    if kind in _OBJECTS:
        return {} if given == [] else None
    if kind in _LISTS:
        return _listed(given)
    if kind in _TEXTS and isinstance(given, int) and not isinstance(given, bool):
        return str(given)
    if kind.startswith("datetime") and isinstance(given, str):
        return instant(given)
    return None


def _listed(given: Any) -> list[Any] | None:
    """The values of an object whose keys are whole numbers, in their order."""
    if not isinstance(given, dict) or not all(map(_INDEX.fullmatch, given)):
        return None
    return [given[key] for key in sorted(given, key=int)]


def _outermost(mends: dict[Path, Any]) -> dict[Path, Any]:
    """Without those inside of another that is left out."""
    gone = {path for path, new in mends.items() if new is _ABSENT}
    return {
        path: new
        for path, new in mends.items()
        if not any(path[:length] in gone for length in range(1, len(path)))
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
