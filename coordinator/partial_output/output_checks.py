"""Checks a message of partial output: its way, its author, its user, and the token of each attempt. Pure.

What is wrong with one run of a message is told of that one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic_core import to_json

from coordinator.broker.channel import Delivery
from coordinator.domain.broker_identities import BrokerIdentities
from coordinator.errors import ForgedIdentity, MalformedMessage, Unreadable, WrongToken
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.messages.task_output import MAX_CHUNK, RunOutput, read_output
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import DELIVERY_LIMIT, OUTPUT

from .output_items import OutputRun

__all__ = ["CheckedOutput", "checked_output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOutput:
    """Holds chunks of one run, as JSON, that are what they say."""

    task_id: str
    run: OutputRun
    first: int
    chunks: list[bytes]
    ended: bool


def checked_output(
    delivery: Delivery, *, secret: bytes, identities: BrokerIdentities
) -> Iterator[CheckedOutput | Unreadable]:
    """What each run in the message came to, to be gone through once. Raises `Unreadable` for the whole
    message: an attempt that is over has a token still, and is told apart by its number.
    """
    if delivery.exchange != OUTPUT:
        through = delivery.exchange or "the default exchange"
        raise ForgedIdentity(f"output that did not come through {OUTPUT}, but through {through}")
    told = read_output(delivery.message, delivery.routing_key)
    user = delivery.message.user_id
    if not identities.may_speak_for(told.agent_id, user):
        raise ForgedIdentity(
            f"output of {told.agent_id!r} was published by the user {user!r}, who is not that agent's"
        )
    for piece in told.output:
        try:
            yield _checked(piece, told.agent_id, secret)
        except Unreadable as exc:
            yield exc


def _checked(piece: RunOutput, agent_id: str, secret: bytes) -> CheckedOutput:
    crashes = piece.crashes or 0
    delivered = piece.attempt - crashes
    if (
        crashes > DELIVERY_LIMIT
        or delivered < 1
        or not token_matches(secret, piece.task_id, piece.generation, delivered, piece.task_token)
    ):
        raise WrongToken
    return CheckedOutput(
        task_id=piece.task_id,
        run=OutputRun(
            generation=piece.generation,
            attempt=piece.attempt,
            agent_id=agent_id,
            run=piece.run,
            delivery=(piece.republished, piece.returned),
            crashes=crashes,
        ),
        first=piece.first,
        chunks=[_as_json(chunk) for chunk in piece.chunks],
        ended=piece.ended,
    )


def _as_json(chunk: object) -> bytes:
    problem = json_problem(chunk)
    if problem is not None:
        raise MalformedMessage(f"output: a chunk {problem}")
    encoded = to_json(chunk)
    if len(encoded) > MAX_CHUNK:
        raise MalformedMessage(
            f"output: a chunk of {len(encoded)} bytes, and at most {MAX_CHUNK} are taken"
        )
    return encoded
