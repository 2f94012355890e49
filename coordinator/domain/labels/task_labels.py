"""Labels tasks, to find them by their tags and by single values of their metadata, and filters them.

    tags ["nightly"]              ─▶ tag:nightly
    metadata {"customer": "acme"} ─▶ metadata:customer=acme, where that key is one of those declared

A value is compared as a text: a string as it is, a number and a boolean as JSON writes them. Objects, lists,
null and long texts are nobody's label.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.domain.task import Task

__all__ = ["ANY_LABELS", "LONGEST_VALUE", "LabelFilter", "labels_of", "searchable"]

LONGEST_VALUE = 200
"""Characters of a value of metadata that can be searched for."""


def searchable(
    metadata: Mapping[str, Any] | None, keys: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """The pairs of a key and the text of its value that a task with this metadata is found by."""
    if not metadata or not keys:
        return ()
    texts = ((key, _text(metadata[key])) for key in sorted(keys) if key in metadata)
    return tuple((key, text) for key, text in texts if text is not None)


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | int | float):
        text = json.dumps(value)
    else:
        return None
    return text if len(text) <= LONGEST_VALUE else None


def labels_of(task: Task) -> list[str]:
    """What the task is found by, one text each; a group is not among them."""
    return _labels(task.tags, task.metadata)


def _labels(tags: Collection[str], metadata: Collection[tuple[str, str]]) -> list[str]:
    """No key has an equals sign, so that no two pairs have the same text."""
    return [f"tag:{tag}" for tag in sorted(tags)] + [
        f"metadata:{key}={value}" for key, value in sorted(metadata)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFilter:
    """A task must have all that is given. What is empty or None matches every task."""

    group: str | None = None
    tags: frozenset[str] = frozenset()
    metadata: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a key, which is one of those declared, and the text of its value."""

    @property
    def labels(self) -> list[str]:
        """Those that a task must have, as `labels_of` has them."""
        return _labels(self.tags, self.metadata)

    @property
    def keys(self) -> frozenset[str]:
        """Of the metadata that is asked for."""
        return frozenset(key for key, _ in self.metadata)

    def admits(self, task: Task) -> bool:
        """Whether ``task``, folded with at least these `keys`, is meant."""
        return (
            self.group in (None, task.group)
            and self.tags.issubset(task.tags)
            and self.metadata.issubset(task.metadata)
        )


ANY_LABELS = LabelFilter()
