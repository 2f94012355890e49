"""What a handler returned, as plain JSON values; or the sentence that says why it cannot be told.

    plain values, the usual case ──▶ one look at each ──▶ encoded
    anything else ──▶ surveyed: nothing that would be lost, nothing that would run ──▶ encoded

Nothing is iterated that computes while it is iterated: this may be on the event loop, where a generator
would hold up every other task, for ever if it has no end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
from collections.abc import Awaitable, Iterable
from enum import Enum
from types import CoroutineType, GeneratorType
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from coordinator.protocol.json_limits import MAX_DEPTH, OUT_OF_RANGE, in_range, json_problem

from .plain_text import class_name, printable_text, text_of

__all__ = ["NotJson", "encoded"]

MAX_REASON = 500
MAX_PLACE = 200
"""Characters of what is told."""

MAX_CLOSED = 10_000
"""Values among which generators and coroutines are looked for, to be closed."""

PLAIN = "return dicts with strings as keys, lists, strings, finite numbers, booleans or None"


class NotJson(Exception):
    """``why`` it is not JSON, and what to do: both are parts of a sentence."""

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
    plain = json_problem(result) is None
    if not plain:
        _survey(result, "", _Rules())
    data = to_json(result)
    copy = from_json(data, allow_inf_nan=False)
    if not plain:
        problem = json_problem(copy)
        if problem is not None:
            raise NotJson(f"it {problem}")
    return copy, len(data)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    declared: bool = False
    """Whether a pydantic model says how its fields become JSON: a set that it declares is a list."""
    depth: int = 0


def _survey(value: Any, place: str, rules: _Rules) -> None:
    """Look for what `to_json` would run, or would change so that it could not be told apart."""
    if rules.depth > MAX_DEPTH:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    _refuse_running(value, place)
    _refuse_number(value, place)
    if isinstance(value, Enum):
        _survey(value.value, place, _deeper(rules))
    elif isinstance(value, dict):
        _refuse_keys(value, place, rules)
        for key, child in dict.items(value):
            _survey(child, f"{place}[{_shown(key)}]", _deeper(rules))
    elif isinstance(value, list | tuple):
        children = tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value)
        _survey_all(children, place, _deeper(rules))
    elif isinstance(value, set | frozenset | bytes | bytearray | memoryview):
        _refuse_changed(value, place, rules)
    elif hasattr(type(value), "__pydantic_serializer__"):
        _survey(_dumped(value), place, _Rules(declared=True, depth=rules.depth))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _survey(getattr(value, field.name), f"{place}.{field.name}", _deeper(rules))


def _deeper(rules: _Rules) -> _Rules:
    return _Rules(declared=rules.declared, depth=rules.depth + 1)


def _survey_all(children: Iterable[Any], place: str, rules: _Rules) -> None:
    for number, child in enumerate(children):
        _survey(child, f"{place}[{number}]", rules)


def _dumped(model: Any) -> Any:
    """The fields of a pydantic model or dataclass, lazy ones as iterators that have not run."""
    if isinstance(model, BaseModel):
        return model.model_dump(warnings=False)
    return type(model).__pydantic_serializer__.to_python(model, warnings=False)


def _refuse_running(value: Any, place: str) -> None:
    kind = type(value)
    if inspect.isasyncgen(value) or hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        raise NotJson(
            f"a {class_name(value)} would compute only while it is told",
            "return a list; to tell of steps, call task.progress",
            place=place,
        )
    if isinstance(value, Awaitable):
        raise NotJson(
            f"a {class_name(value)} was not awaited",
            "declare the handler with async def and await it",
            place=place,
        )


def _refuse_number(value: Any, place: str) -> None:
    if isinstance(value, int | float) and not in_range(value):
        raise NotJson(f"it {OUT_OF_RANGE}", place=place)


def _refuse_keys(value: dict[Any, Any], place: str, rules: _Rules) -> None:
    """Keys become strings, and two that differ could become the same."""
    kinds = {type(key): key for key in dict.keys(value)}
    if rules.declared and len(kinds) == 1:
        return
    for key in kinds.values():
        if not isinstance(key, str):
            raise NotJson(
                f"a key is of the type {class_name(key)}", "make every key a string", place=place
            )


def _refuse_changed(value: Any, place: str, rules: _Rules) -> None:
    if rules.declared:
        if isinstance(value, set | frozenset):
            _survey_all(list(value), place, _deeper(rules))
        return
    advice = "make a list of it"
    if not isinstance(value, set | frozenset):
        advice = "make a string of it, by base64 or as its encoding says"
    raise NotJson(f"{class_name(value)} has no form in JSON", advice, place=place)


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
