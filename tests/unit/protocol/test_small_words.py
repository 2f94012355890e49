"""Priorities, tokens, ids, commands and registration."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import InvalidPriority, InvalidRequest, MalformedMessage
from coordinator.protocol.id_limits import check_id
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    CancelTask,
    DrainAgent,
    RegisterAgain,
    ServeSource,
    ServeSources,
    decode_command,
    encode_command,
)
from coordinator.protocol.messages.registration import SourceOffer, reply_allowed, sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token, token_matches
from coordinator.protocol.topology import TOPOLOGY, task_queue_topology


def test_priorities_sort_from_urgent_to_low() -> None:
    assert sorted(Priority, key=lambda priority: priority.rank) == [
        "urgent",
        "critical",
        "high",
        "normal",
        "low",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("HIGH", "high"), (" Low ", "low"), (None, "normal"), ("urgent", "urgent")],
)
def test_a_priority_is_read_in_any_case_and_is_normal_where_none_is_given(
    value: str | None, expected: str
) -> None:
    assert Priority.parse(value) == expected


@pytest.mark.parametrize("value", ["", "soon", 5, [], True])
def test_an_unknown_priority_is_named(value: object) -> None:
    with pytest.raises(InvalidPriority) as caught:
        Priority.parse(value)
    assert str(caught.value) == f"Invalid priority: {value}"


def test_ids_are_uuids_that_sort_by_time() -> None:
    made = [new_id() for _ in range(50)]
    assert len(set(made)) == len(made)
    assert all(uuid.UUID(one).version == 7 for one in made)
    assert [one[:13] for one in made] == sorted(one[:13] for one in made)


@given(st.integers(1, 9), st.integers(1, 9), st.text(max_size=20))
def test_a_token_belongs_to_one_attempt(generation: int, attempt: int, task_id: str) -> None:
    token = task_token(b"k" * 32, task_id, generation, attempt)
    assert token_matches(b"k" * 32, task_id, generation, attempt, token)
    assert not token_matches(b"k" * 32, task_id, generation, attempt + 1, token)
    assert not token_matches(b"k" * 32, task_id, generation + 1, attempt, token)
    assert not token_matches(b"j" * 32, task_id, generation, attempt, token)


@given(st.text(max_size=70))
def test_any_other_text_is_no_token(text: str) -> None:
    assert not token_matches(b"k" * 32, "t", 1, 1, text)


@pytest.mark.parametrize(
    "command",
    [
        CancelTask(task_id="t", generation=2, reason="cleared"),
        ServeSources(sources=[SourceOffer.of(TaskQueue("any", Priority.LOW))]),
        ServeSource(lane="any", priority=Priority.LOW),
        RegisterAgain(),
        DrainAgent(),
    ],
)
def test_a_command_survives_the_wire(command: CancelTask) -> None:
    assert decode_command(encode_command(command)) == command


def test_a_command_of_a_newer_version_is_left_alone() -> None:
    assert decode_command(Message(body=b"{}", type="dance")) is None


def test_a_broken_command_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode_command(Message(body=b"{", type="cancel"))


@pytest.mark.parametrize("bad", ["", "x" * 129, "a\nb", "a\0b", "   ", 7, None])
def test_a_bad_id_is_refused_with_a_sentence_that_names_it(bad: object) -> None:
    with pytest.raises(InvalidRequest, match="agent_id") as caught:
        check_id(bad, "agent_id", field="agent_id")
    assert caught.value.field == "agent_id"


@pytest.mark.parametrize("good", ["a", "x" * 128, "hermes agent", "ünïcode", "a/b"])
def test_a_good_id_stays_as_it_is(good: str) -> None:
    assert check_id(good, "agent_id", field="agent_id") == good


@pytest.mark.parametrize(
    ("reply_to", "allowed"),
    [
        ("agent.a.control.1", True),
        ("amq.rabbitmq.reply-to.g2dkABA", True),
        ("agent.b.control.1", False),
        ("tasks.any.low", False),
        ("coordinator.log", False),
        ("", False),
        (None, False),
    ],
)
def test_a_reply_goes_only_to_the_one_who_asked(reply_to: str | None, allowed: bool) -> None:
    assert reply_allowed("a", reply_to) is allowed


@given(
    st.lists(st.sampled_from([TaskQueue("any", priority) for priority in Priority]), unique=True)
)
def test_the_hash_of_sources_does_not_depend_on_their_order(sources: list[TaskQueue]) -> None:
    assert sources_hash(sources) == sources_hash(reversed(sources))


def test_every_quorum_queue_has_an_explicit_delivery_limit_and_none_a_length_limit() -> None:
    queues = TOPOLOGY.queues + task_queue_topology(TaskQueue("any", Priority.LOW)).queues
    for queue in queues:
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-delivery-limit"] > 0
        assert "x-max-length" not in queue.arguments
        assert "x-max-priority" not in queue.arguments


def test_a_token_is_the_hmac_of_task_generation_and_attempt() -> None:
    """What was signed by a coordinator of before counts; the value is OpenSSL's."""
    token = task_token(b"a secret of the tests", "t", 2, 3)
    assert token == "d113dfd82f60ce446ef4037a3f2107100e6306a5352a467fec706f5fe514228f"
    assert token == task_token(b"a secret of the tests", "t", 2, 3)
