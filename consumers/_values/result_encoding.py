"""Encodes what a handler returned as plain JSON values, or says why it cannot be told.

    plain values, the usual case ──▶ one look at each ──▶ encoded
    anything else ──▶ surveyed: nothing that would be lost, nothing that would run ──▶ encoded

Nothing is iterated that computes while it is iterated: this may be on the event loop, where a generator
would hold up every other task, for ever if it has no end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Awaitable, Iterator
from enum import Enum
from types import CoroutineType, GeneratorType
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from coordinator.protocol.json_values.json_limits import (
    MAX_DEPTH,
    MAX_VALUES,
    NO_JSON,
    OUT_OF_RANGE,
    in_range,
    json_problem,
)

from .printable_text import class_name, printable_text, text_of
from .undeclared_values import undeclared_values

__all__ = ["NotJson", "encoded"]

MAX_REASON = 500
MAX_PLACE = 200
"""Characters of what is told."""

MAX_CLOSED = 10_000
"""Values among which generators and coroutines are looked for, to be closed."""

_WITHOUT_FORM = (set, frozenset, bytes, bytearray, memoryview, complex, re.Pattern)
"""Types that `to_json` writes although JSON has nothing like them: what was read would be another."""

_READERS = (list, tuple, set, frozenset)

PLAIN = "use dicts with strings as keys, lists, strings, finite numbers, booleans or None"


class NotJson(Exception):
    """Says ``why`` a value is not JSON, and what to do: both are parts of a sentence."""

    def __init__(self, why: str, advice: str = PLAIN, *, place: str = "") -> None:
        super().__init__(why)
        at = f"at {printable_text(place, MAX_PLACE)}: " if place else ""
        self.why = printable_text(at + why, MAX_REASON)
        self.advice = advice


def encoded(result: Any) -> tuple[Any, int]:
    """A copy of ``result`` as plain JSON values, and its bytes as JSON. Raises `NotJson`."""
    try:
        return _encoded(result)
    except NotJson:
        _close(result)
        raise
    except BaseException as exc:
        _close(result)  # what raised is a handler's own code: a property, a serializer
        raise NotJson(f"{class_name(exc)}: {text_of(exc, MAX_REASON)}") from exc


def _encoded(result: Any) -> tuple[Any, int]:
    problem = json_problem(result)
    if problem in (NO_JSON, OUT_OF_RANGE):
        _Survey().look(result)
    elif problem is not None:
        raise NotJson(f"it {problem}")
    data = to_json(result)
    copy = from_json(data, allow_inf_nan=False)
    if problem is not None:
        problem = json_problem(copy)
        if problem is not None:
            raise NotJson(f"it {problem}")
    return copy, len(data)


class _Survey:
    """Looks for what `to_json` would run, or would change so that it could not be told apart."""

    def __init__(self) -> None:
        self._values = 0

    def look(self, value: Any, place: str = "", depth: int = 0, *, declared: bool = False) -> None:
        """``declared`` is inside a pydantic model, which says how its fields become JSON: a set that
        it declares is a list. What is in a field of `Any` is not declared.
        """
        self._count(depth)
        _refuse_running(value, place)
        if isinstance(value, int | float) and not in_range(value):
            raise NotJson(f"it {OUT_OF_RANGE}", place=place)
        if isinstance(value, Enum):
            self.look(value.value, place, depth, declared=declared)
        elif isinstance(value, _WITHOUT_FORM):
            if not declared:
                raise NotJson(
                    f"{class_name(value)} has no form in JSON", _advice(value), place=place
                )
        elif hasattr(type(value), "__pydantic_serializer__"):
            self.look(_dumped(value), place, depth, declared=True)
            for where, child in undeclared_values(value, place):
                _Survey().look(child, where)  # its values and levels were counted above
            return
        for where, child in _children(value, place, declared=declared):
            self.look(child, place + where, depth + 1, declared=declared)

    def _count(self, depth: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise NotJson(f"it holds more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")


def _children(value: Any, place: str, *, declared: bool) -> Iterator[tuple[str, Any]]:
    """What is in a container, and where; read without the methods of a class of the handler's own."""
    if isinstance(value, dict):
        _refuse_keys(value, place, declared=declared)
        for key, child in dict.items(value):
            yield f"[{_shown(key)}]", child
    elif isinstance(value, _READERS):
        reader: Any = next(kind.__iter__ for kind in _READERS if isinstance(value, kind))
        for number, child in enumerate(reader(value)):
            yield f"[{number}]", child
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield f".{field.name}", getattr(value, field.name)


def _dumped(model: Any) -> Any:
    """The fields of a pydantic model or dataclass, lazy ones as iterators that have not run."""
    if isinstance(model, BaseModel):
        return model.model_dump(warnings=False)
    return type(model).__pydantic_serializer__.to_python(model, warnings=False)


def _refuse_running(value: Any, place: str) -> None:
    kind = type(value)
    if inspect.isasyncgen(value) or hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        raise NotJson(
            f"this {class_name(value)} would compute only while it is told",
            "make a list of it; to tell of steps, call task.progress",
            place=place,
        )
    if isinstance(value, Awaitable):
        raise NotJson(
            f"a {class_name(value)} was not awaited",
            "declare the handler with async def and await it",
            place=place,
        )


def _refuse_keys(value: dict[Any, Any], place: str, *, declared: bool) -> None:
    """Keys become strings, and two that differ could become the same: not two of one type."""
    kinds = {type(key): key for key in dict.keys(value)}
    if declared and len(kinds) == 1:
        return
    for key in kinds.values():
        if not isinstance(key, str):
            raise NotJson(
                f"a key is of the type {class_name(key)}", "make every key a string", place=place
            )


def _advice(value: object) -> str:
    if isinstance(value, set | frozenset):
        return "make a list of it"
    return "make a string of it, such as base64 of bytes"


def _shown(key: object) -> str:
    return f'"{printable_text(key, 40)}"' if isinstance(key, str) else class_name(key)


def _close(result: Any) -> None:
    """A coroutine that nobody will await is warned of, unless it is closed."""
    found: list[Any] = [result]
    for _ in range(MAX_CLOSED):
        if not found:
            return
        value = found.pop()
        kind = type(value)
        if kind is dict:
            found += value.values()
        elif kind is list or kind is tuple:
            found += value
        elif kind is CoroutineType or kind is GeneratorType:
            _close_one(value)


def _close_one(value: CoroutineType[Any, Any, Any] | GeneratorType[Any, Any, Any]) -> None:
    with contextlib.suppress(BaseException):  # it had begun elsewhere: how it ends tells nothing
        value.close()
