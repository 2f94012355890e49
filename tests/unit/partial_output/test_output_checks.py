"""Partial output is taken by its way, from its author, with the token of the attempt; nothing else is."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from coordinator.broker.channel import Channel, Delivery
from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.errors import ForgedIdentity, MalformedMessage, Unreadable, WrongToken
from coordinator.partial_output.output_checks import CheckedOutput, checked_output
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_output import MAX_CHUNK, OUTPUT_TYPE
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, OUTPUT

SECRET = b"a secret of the tests"
KEY = "task.ada.output"


def piece(task_id: str = "t", *, attempt: int = 1, token_of: int | None = None, **more: Any) -> Any:
    token = task_token(SECRET, task_id, 1, attempt if token_of is None else token_of)
    told = {"task_id": task_id, "attempt": attempt, "first": 1, "chunks": ["a"]}
    return {**told, "task_token": token, **more}


def delivered(
    *pieces: Any,
    agent_id: str = "ada",
    exchange: str = OUTPUT,
    key: str = KEY,
    user: str | None = None,
) -> Delivery:
    body = json.dumps({"agent_id": agent_id, "output": pieces}).encode()
    return Delivery(
        message=Message(body=body, type=OUTPUT_TYPE, user_id=user),
        exchange=exchange,
        routing_key=key,
        redelivered=False,
        tag=1,
        channel=cast("Channel", None),
    )


def checked(
    delivery: Delivery, identities: BrokerIdentities = ANYBODY
) -> list[CheckedOutput | Unreadable]:
    return list(checked_output(delivery, secret=SECRET, identities=identities))


def test_what_an_agent_says_of_its_attempt_is_taken() -> None:
    [one] = checked(delivered(piece(run="r", chunks=["é", {"x": [1, None]}], ended=True)))
    assert isinstance(one, CheckedOutput)
    assert (one.task_id, one.run.agent_id, one.run.run, one.ended) == ("t", "ada", "r", True)
    assert [json.loads(chunk) for chunk in one.chunks] == ["é", {"x": [1, None]}]


@pytest.mark.parametrize(
    "forged",
    [
        {"exchange": EVENTS},
        {"exchange": ""},
        {"key": "task.eve.output"},
        {"key": "task.ada.completed"},
        {"agent_id": "eve"},
    ],
)
def test_what_came_by_another_way_or_in_anothers_name_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(ForgedIdentity):
        checked(delivered(piece(), **forged))


@pytest.mark.parametrize("user", [None, "eve", "coordinator"])
def test_the_user_has_to_be_the_agents_where_identity_is_required(user: str | None) -> None:
    identities = BrokerIdentities(required=True, coordinators=frozenset({"coordinator"}))
    with pytest.raises(ForgedIdentity):
        checked(delivered(piece(), user=user), identities)
    assert len(checked(delivered(piece(), user="ada"), identities)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        piece(task_token="x"),
        piece(attempt=2, token_of=1),
        piece(attempt=1, token_of=2),
        piece(attempt=2, token_of=2, crashes=1),
        piece(attempt=1, token_of=0, crashes=1),
        piece(attempt=40, token_of=1, crashes=39),
        piece(generation=2),
    ],
)
def test_a_token_opens_its_own_attempt_and_the_others_of_the_message_are_taken(wrong: Any) -> None:
    first, second = checked(delivered(wrong, piece("other")))
    assert isinstance(first, WrongToken)
    assert isinstance(second, CheckedOutput)


def test_agents_that_were_lost_with_the_message_are_counted_apart() -> None:
    [one] = checked(delivered(piece(attempt=3, token_of=1, crashes=2)))
    assert isinstance(one, CheckedOutput)
    assert one.run.attempt == 3


DEEP = json.loads("[" * 101 + "]" * 101)


@pytest.mark.parametrize("chunk", ["x" * MAX_CHUNK, DEEP], ids=["too large", "too deep"])
def test_a_chunk_that_is_too_large_or_too_deep_is_refused(chunk: Any) -> None:
    first, second = checked(delivered(piece(chunks=[chunk]), piece("other")))
    assert isinstance(first, MalformedMessage)
    assert isinstance(second, CheckedOutput)
