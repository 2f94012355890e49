"""The message of partial output, as agents write it and coordinators read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.messages.task_output import (
    LARGEST_OUTPUT,
    MAX_CHUNKS,
    RunHeader,
    encode_output,
    encode_run,
    output_key,
    read_output,
)
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import OUTPUT, TOPOLOGY, output_topology, task_queue_topology

TASK = TaskMessage(
    task_id='t "1"',
    attempt=3,
    republished=4,
    task_data={},
    priority=Priority.LOW,
    submitted_at=datetime.now(UTC),
    task_token="token",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(chunks=st.lists(JSON, max_size=5), first=st.integers(1, 2**40), ended=st.booleans())
def test_what_is_encoded_is_read_again(chunks: list[Any], first: int, ended: bool) -> None:
    header = RunHeader.of(TASK, crashes=1, returned=2, run="r")
    pieces = [
        encode_run(header, first, [json.dumps(chunk).encode() for chunk in chunks], ended=ended),
        encode_run(RunHeader.of(TASK, crashes=None, returned=0, run="s"), 1, [b'"x"'], ended=False),
    ]
    message = encode_output("é.a", pieces)
    assert not message.persistent
    told = read_output(message, output_key("é.a"))
    one, other = told.output
    assert (one.task_id, one.generation, one.attempt) == (TASK.task_id, 1, 3)
    assert (one.crashes, one.task_token, one.run) == (1, "token", "r")
    assert (one.republished, one.returned) == (4, 2)
    assert (one.first, one.chunks, one.ended) == (first, chunks, ended)
    assert (other.crashes, other.chunks, other.ended) == (None, ["x"], False)


def message_of(**piece: Any) -> Message:
    told = {"task_id": "t", "task_token": "x", "first": 1, "chunks": ["a"]} | piece
    return Message(body=json.dumps({"agent_id": "ada", "output": [told]}).encode())


def test_other_languages_write_it_in_their_ways() -> None:
    [one] = read_output(
        message_of(first="7", chunks={"0": "a", "1": "b"}, crashes=None, run=12), "task.ada.output"
    ).output
    assert (one.first, one.chunks, one.run) == (7, ["a", "b"], "12")


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"first": None}, {"task_id": ""}, {"attempt": 2**31}, {"chunks": 5}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        read_output(message_of(**wrong), "task.ada.output")


def test_the_key_names_the_author() -> None:
    for key in ("task.eve.output", "task.ada.started", "output"):
        with pytest.raises(ForgedIdentity):
            read_output(message_of(), key)


def test_a_message_that_is_too_large_is_not_read() -> None:
    with pytest.raises(MalformedMessage, match="at most"):
        read_output(Message(body=b"x" * (LARGEST_OUTPUT + 1)), "task.ada.output")


def test_a_message_of_very_many_chunks_is_not_read() -> None:
    """A mebibyte of ones would hold up whoever reads it for a second."""
    assert len(read_output(message_of(chunks=[1] * MAX_CHUNKS), "task.ada.output").output) == 1
    with pytest.raises(MalformedMessage, match="at most 5000"):
        read_output(message_of(chunks=[1] * (MAX_CHUNKS + 1)), "task.ada.output")


def test_nothing_binds_output_to_the_log() -> None:
    """The exchange leads to the queues of coordinator processes alone."""
    every = [*TOPOLOGY.bindings, *output_topology("p").bindings]
    every += task_queue_topology(TaskQueue("any", Priority.LOW)).bindings
    assert [one.target for one in every if one.exchange == OUTPUT] == ["output.p"]
