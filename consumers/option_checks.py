"""Checks what an author gave an agent: a sentence for each argument that is of another kind than meant.

Each returns the value as the type that is declared, and raises `InvalidRequest` with the name of the field.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from coordinator.errors import InvalidRequest

__all__ = ["duration", "folder", "names", "table", "text", "whole_number"]


def names(value: object, field: str) -> tuple[str, ...]:
    """Several strings. One string is refused: its letters would be taken for names."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        raise InvalidRequest(f"{field} must be a list: write {field}={parts!r}", field=field)
    if isinstance(value, bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise InvalidRequest(
            f'{field} must be a list of strings, and not {_kind(value)}: write {field}=["one", "two"]',
            field=field,
        )
    found = tuple(value)
    for entry in found:
        if not isinstance(entry, str):
            raise InvalidRequest(
                f"{field} must hold strings only, and {_shown(entry)} is {_kind(entry)}",
                field=field,
            )
    return found


def table(value: object, field: str, *, of_strings: bool = False) -> dict[str, Any]:
    """A dict; with ``of_strings``, of strings to strings."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(
            f'{field} must be a dict, and not {_kind(value)}: write {field}={{"name": "value"}}',
            field=field,
        )
    found = dict(value)
    for entry in (*found, *found.values()) if of_strings else ():
        if not isinstance(entry, str):
            raise InvalidRequest(
                f"{field} must have strings as keys and as values, and {_shown(entry)} is"
                f" {_kind(entry)}",
                field=field,
            )
    return found


def whole_number(value: object, field: str, *, least: int, most: int | None = None) -> int:
    """``least`` and ``most`` are allowed, too."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(
            f"{field} must be a whole number, and not {_kind(value)}: write {field}={least}, say",
            field=field,
        )
    if value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise InvalidRequest(f"{field} must be {allowed}", field=field)
    return value


def duration(value: object, field: str) -> timedelta:
    """A `timedelta` that is not negative."""
    if not isinstance(value, timedelta):
        raise InvalidRequest(
            f"{field} must be a timedelta, and not {_kind(value)}: write"
            f" {field}=timedelta(seconds=10), say",
            field=field,
        )
    if value < timedelta():
        raise InvalidRequest(f"{field} must not be negative", field=field)
    return value


def folder(value: object, field: str) -> Path:
    """The path of a folder, which need not exist."""
    if not isinstance(value, str | os.PathLike) or not str(value) or "\0" in str(value):
        raise InvalidRequest(
            f"{field} must be the path of a folder, as a string or a Path, and not {_kind(value)}",
            field=field,
        )
    return Path(value)


def text(value: object, field: str) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise InvalidRequest(
            f'{field} must be a string, and not {_kind(value)}: write {field}="{value}", say'
            if isinstance(value, int | float)
            else f"{field} must be a string, and not {_kind(value)}",
            field=field,
        )
    return value


def _kind(value: object) -> str:
    """As its author knows it: the class, or None."""
    return "None" if value is None else f"of type {type(value).__name__}"


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:40]}…"
