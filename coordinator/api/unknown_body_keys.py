"""Names the unknown keys of a request body: they are ignored, and a typing error would go unseen.

Clients of other services send words that mean nothing here, so that it is a warning and no error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from typing import Any, get_args

from fastapi import Request
from pydantic import BaseModel

from coordinator.errors import InvalidRequest
from coordinator.near_names import LONGEST, nearest, quoted

from .unknown_query_parameters import CREDENTIAL

__all__ = ["MOST_NAMED", "refuse_unknown_keys", "unknown_keys", "unknown_keys_of", "with_warnings"]

MOST_NAMED = 10
"""Keys in one warning."""


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """The keys that a model reads."""

    names: frozenset[str]
    inside: dict[str, _Known]
    """Of the keys that hold an object with keys of its own."""


def unknown_keys(raw: Any, model: type[BaseModel]) -> str | None:
    """A sentence that names the keys of ``raw``, a body that ``model`` has read, that it does not have,
    also those of the objects in it; None where there are none.
    """
    names = _names(raw, model)
    return None if names is None else f"These unknown keys were ignored: {names}."


async def unknown_keys_of(request: Request, model: type[BaseModel]) -> str | None:
    """As `unknown_keys`, of the body of a request, and of its query, which such a request does not have."""
    told = [unknown_keys(await _body(request), model)]
    asked = [name for name in request.query_params if name != CREDENTIAL]
    if asked:
        names = ", ".join(quoted(name[: LONGEST + 1]) for name in asked[:MOST_NAMED])
        told.append(f"The query is not read here, and was ignored: {names}.")
    return with_warnings(*told).get("warning")


async def refuse_unknown_keys(request: Request, model: type[BaseModel]) -> None:
    """Of a body that says to how much something is done: a filter that is misspelt would match all.
    Raises `InvalidRequest`, for what is no object as well.
    """
    try:
        raw = await _body(request)
    except ValueError:
        raw = ""
    if not isinstance(raw, dict | None):
        raise InvalidRequest(
            "Nothing was done, because the body is no JSON object: send one, or none", field="body"
        )
    if raw and (twice := _twice(await request.body())) is not None:
        raise InvalidRequest(
            f"Nothing was done, because {quoted(twice)} comes twice in the body", field="body"
        )
    names = _names(raw, model)
    if names is not None:
        known = f"; there are: {', '.join(model.model_fields)}" if model.model_fields else ""
        raise InvalidRequest(
            f"Nothing was done, because these keys are unknown: {names}{known}", field="body"
        )


def with_warnings(*warnings: str | None) -> dict[str, str]:
    """The `warning` of an answer: all that there are, in one string."""
    told = [warning for warning in warnings if warning is not None]
    return {"warning": " ".join(told)} if told else {}


async def _body(request: Request) -> Any:
    return await request.json() if await request.body() else None


def _twice(body: bytes) -> str | None:
    """A key that an object in ``body``, which is JSON, has twice: which of both counts is anyone's guess."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            found.append(next(name for name in names if names.count(name) > 1))

    json.loads(body, object_pairs_hook=look)
    return found[0] if found else None


def _names(raw: Any, model: type[BaseModel]) -> str | None:
    known = _known(model)
    if not isinstance(raw, dict) or not _has_unknown(raw, known):
        return None
    found = _unknown(raw, known)
    told = [
        _told(path, key[: LONGEST + 1], near, known)
        for path, key, near in islice(found, MOST_NAMED)
    ]
    more = sum(1 for _ in found)
    rest = f" and {more} more" if more else ""
    return f"{', '.join(told)}{rest}"


@cache
def _known(model: type[BaseModel]) -> _Known:
    inside = {
        name: _known(one)
        for name, field in model.model_fields.items()
        for one in (field.annotation, *get_args(field.annotation))
        if isinstance(one, type) and issubclass(one, BaseModel)
    }
    return _Known(frozenset(model.model_fields), inside)


def _has_unknown(raw: dict[str, Any], known: _Known) -> bool:
    if not raw.keys() <= known.names:
        return True
    for name, inner in known.inside.items():
        value = raw.get(name)
        if isinstance(value, dict) and _has_unknown(value, inner):
            return True
    return False


def _unknown(
    raw: dict[str, Any], known: _Known, path: str = ""
) -> Iterator[tuple[str, str, _Known]]:
    """Where each stands, its name, and what is known there."""
    for name, value in raw.items():
        if name not in known.names:
            yield path, name, known
        elif name in known.inside and isinstance(value, dict):
            yield from _unknown(value, known.inside[name], f"{path}{name}.")


@lru_cache(maxsize=1000)
def _told(path: str, key: str, near: _Known, all_known: _Known) -> str:
    """A client sends the same word with each request. ``key`` may be cut."""
    meant = _elsewhere(key, all_known)
    if meant is None and (guess := nearest(key, near.names)) is not None:
        meant = f"{path}{guess}"
    name = quoted(f"{path}{key}")
    return name if meant is None else f"{name} (did you mean {meant!r}?)"


def _elsewhere(key: str, known: _Known, path: str = "") -> str | None:
    """Where a key of this name is read."""
    if key in known.names:
        return f"{path}{key}"
    if key in _OF_THE_CONTENT and "task_data" in known.names:
        return f"{path}task_data.{key}"
    found = (_elsewhere(key, inner, f"{path}{name}.") for name, inner in known.inside.items())
    return next((one for one in found if one is not None), None)


_OF_THE_CONTENT = frozenset({"task_id", "task_type"})
"""Keys that are read from the content of a task."""
