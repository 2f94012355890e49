"""What a task is found by: its tags, and the texts of single values of its metadata."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.labels.task_labels import (
    LONGEST_VALUE,
    LabelFilter,
    labels_of,
    searchable,
)
from coordinator.domain.task import Task

texts = st.text(max_size=5)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
metadatas = st.dictionaries(texts, values | st.lists(values), max_size=4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("acme", "acme"),
        ("", ""),
        (7, "7"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (10**300, None),
        ("x" * LONGEST_VALUE, "x" * LONGEST_VALUE),
        ("x" * (LONGEST_VALUE + 1), None),
        (None, None),
        (["acme"], None),
        ({"name": "acme"}, None),
    ],
)
def test_a_value_is_a_text_as_json_writes_it(value: Any, text: str | None) -> None:
    expected = () if text is None else (("k", text),)
    assert searchable({"k": value, "other": "x"}, ["k"]) == expected


@given(metadatas, st.sets(texts, max_size=3))
def test_only_declared_keys_are_found_by(metadata: dict[str, Any], keys: set[str]) -> None:
    found = searchable(metadata, keys)
    assert {key for key, _ in found} <= keys & metadata.keys()
    assert list(found) == sorted(found)


def test_no_tag_is_taken_for_a_value_of_metadata() -> None:
    task = Task(task_id="t", tags=("metadata:a=b",), metadata=(("a", "b=c"),))
    assert labels_of(task) == ["tag:metadata:a=b", "metadata:a=b=c"]


@given(
    st.sets(st.sampled_from("abc")),
    st.sets(st.sampled_from("abc")),
    st.sampled_from([None, "g", "h"]),
    st.sampled_from([None, "g"]),
)
def test_a_filter_admits_what_has_all_of_its_labels(
    tags: set[str], wanted: set[str], group: str | None, of: str | None
) -> None:
    task = Task(task_id="t", tags=tuple(sorted(tags)), group=group)
    asked = LabelFilter(group=of, tags=frozenset(wanted))
    assert asked.admits(task) == (of in (None, group) and set(asked.labels) <= set(labels_of(task)))
