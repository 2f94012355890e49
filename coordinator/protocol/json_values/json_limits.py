"""Limits the JSON that both sides take: an agent refuses in a result what a coordinator would refuse.

Parsers set limits of their own, which differ: some stop at 200 levels, some read `1e400` as infinity,
some refuse it. What stays within these limits passes all of them, alone or inside a batch.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from typing import Any

__all__ = [
    "LARGEST_NUMBER",
    "MAX_DEPTH",
    "MAX_VALUES",
    "NO_JSON",
    "OUT_OF_RANGE",
    "in_range",
    "json_problem",
]

MAX_DEPTH = 100
"""Levels of nesting: `[[1]]` has two."""

MAX_VALUES = 1_000_000
"""Values at all levels together."""

LARGEST_NUMBER = sys.float_info.max
"""Many readers keep every number as a double: one that is larger becomes infinite, or an error."""

NO_JSON = "holds a value that JSON has no form for"
OUT_OF_RANGE = "holds a number that is out of range"

_CONTAINERS = frozenset({dict, list, tuple})
_NUMBERS = frozenset({int, float})
_ALWAYS_FINE = frozenset({str, bool, type(None)})
_STRINGS = frozenset({str})


def json_problem(
    value: Any, *, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES
) -> str | None:
    """Why ``value`` is not taken, as the end of a sentence; None where it is plain JSON within the limits.

    Plain are dicts with strings as keys, lists, tuples, strings, finite numbers, booleans and None,
    and not their subclasses.
    """
    if type(value) not in _CONTAINERS:
        return _problem_in((value,), [])
    level: list[Collection[Any]] = [value]
    values = 0
    for _ in range(max_depth):
        deeper: list[Collection[Any]] = []
        for container in level:
            values += len(container)
            if values > max_values:
                return f"holds more than {max_values} values"
            problem = _problem_in(container, deeper)
            if problem is not None:
                return problem
        if not deeper:
            return None
        level = deeper
    return f"is nested deeper than {max_depth} levels"


def _problem_in(container: Collection[Any], deeper: list[Collection[Any]]) -> str | None:
    """The problem of one container, whose own containers are added to ``deeper``."""
    children: Iterable[Any] = container
    if type(container) is dict:
        if not _STRINGS.issuperset(map(type, container)):
            return NO_JSON
        children = container.values()
    if _ALWAYS_FINE.issuperset(map(type, children)):
        return None
    for child in children:
        kind = type(child)
        if kind in _NUMBERS:
            if not -LARGEST_NUMBER <= child <= LARGEST_NUMBER:
                return OUT_OF_RANGE
        elif kind in _CONTAINERS:
            deeper.append(child)
        elif kind not in _ALWAYS_FINE:
            return NO_JSON
    return None


def in_range(number: float) -> bool:
    """Whether a double can hold about as much: neither infinity nor what is no number is in range."""
    return -LARGEST_NUMBER <= number <= LARGEST_NUMBER
