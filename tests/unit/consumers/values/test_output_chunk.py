"""A chunk of partial output is a text or plain JSON, and of a size that is carried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumers._values.output_chunk import encoded_chunk
from coordinator.protocol.messages.task_output import MAX_CHUNK


@pytest.mark.parametrize("chunk", ["", "é", " \n", 5, 0.5, None, True, [1], {"a": {"b": []}}])
def test_a_text_or_any_json_is_a_chunk(chunk: Any) -> None:
    assert json.loads(encoded_chunk(chunk)) == chunk


@pytest.mark.parametrize(
    "chunk", [b"x", {1: 2}, {1, 2}, float("nan"), "\ud800", object(), (x for x in "a")]
)
def test_what_has_no_form_in_json_is_refused_where_it_is_emitted(chunk: Any) -> None:
    with pytest.raises(ValueError, match="emit a text or plain JSON"):
        encoded_chunk(chunk)


def test_a_chunk_that_is_too_large_is_refused_with_what_to_do() -> None:
    encoded_chunk("x" * (MAX_CHUNK - 2))
    with pytest.raises(ValueError, match="emit it in pieces"):
        encoded_chunk("x" * (MAX_CHUNK - 1))


def test_a_chunk_with_a_set_is_refused_with_where_it_is_and_what_to_do() -> None:
    with pytest.raises(
        ValueError, match=r'at \["tags"\]: set has no form in JSON\): make a list of it'
    ):
        encoded_chunk({"tags": {1}})
