"""Reads filters by group, tags and metadata, alike for every list and every request that chooses tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from coordinator.domain.labels.task_labels import LONGEST_VALUE, LabelFilter, searchable
from coordinator.errors import InvalidRequest
from coordinator.near_names import quoted
from coordinator.protocol.id_limits import MOST_TAGS

__all__ = ["GroupFilter", "MetadataFilters", "TagFilters", "label_filter"]

_Text = Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")]

GroupFilter = Annotated[_Text | None, Field(description="Of this group.")]

TagFilters = Annotated[
    list[_Text], Field(max_length=MOST_TAGS, description="It has all of these tags.")
]

_Pair = Annotated[_Text, Field(json_schema_extra={"pattern": r"^[^=\x00]+=[^\x00]*$"})]

MetadataFilters = Annotated[
    list[_Pair],
    Field(
        max_length=8,
        description="`KEY=VALUE`: its metadata has this value under this key, which is one of those that"
        " `COORDINATOR_METADATA_KEYS` names. All of these.",
        examples=[["customer=acme"]],
    ),
]


def label_filter(
    *,
    group: str | None = None,
    tags: Sequence[str] = (),
    metadata: Sequence[str] | Mapping[str, Any] = (),
    keys: Collection[str] = (),
) -> LabelFilter:
    """``metadata`` is as `MetadataFilters` or an object of JSON; ``keys`` are those by whose values tasks are
    found. Raises `InvalidRequest`.
    """
    given = metadata.items() if isinstance(metadata, Mapping) else map(_pair, metadata)
    pairs: dict[str, Any] = {}
    for key, value in given:
        if key not in keys:
            raise InvalidRequest(_unknown_key(key, keys), field="metadata")
        if pairs.setdefault(key, value) != value:
            raise InvalidRequest(
                "metadata: give each key once, no task has two values under one", field="metadata"
            )
    found = searchable(pairs, pairs)
    if len(found) < len(pairs):
        raise InvalidRequest(
            f"metadata: a value must be a string of up to {LONGEST_VALUE} characters, a number or a boolean",
            field="metadata",
        )
    return LabelFilter(group=group, tags=frozenset(tags), metadata=frozenset(found))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidRequest(
            f"metadata: {quoted(text[:80])} must be KEY=VALUE, such as customer=acme",
            field="metadata",
        )
    return key, value


def _unknown_key(key: str, keys: Collection[str]) -> str:
    known = f"there are {', '.join(sorted(keys))}" if keys else "there are none"
    return (
        f"metadata: {quoted(key[:80])} is no key that tasks can be found by, {known}: name it in"
        " COORDINATOR_METADATA_KEYS"
    )
