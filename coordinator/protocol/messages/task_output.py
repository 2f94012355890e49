"""Defines the message that carries partial output, chunks that a handler emits at work; encodes and reads it.

    {"agent_id": "painter", "output": [{"task_id": "t", "generation": 1, "attempt": 1, "run": "5f2c",
                                        "task_token": "…", "first": 17, "chunks": ["Hel", "lo"]}]}

A run is one go of a handler at an attempt; its chunks are numbered from 1. One message has runs of one agent,
and of each the chunks that follow one another. It is for `coordinator.output` alone: neither durable nor an
event, and no part of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.json_values.lenient_reading import read_model
from coordinator.protocol.message import Message
from coordinator.protocol.name_encoding import encode_word

from .task_message import TaskMessage, describe

__all__ = [
    "LARGEST_OUTPUT",
    "MAX_CHUNK",
    "MAX_CHUNKS",
    "OUTPUT_TYPE",
    "RunHeader",
    "RunOutput",
    "TaskOutput",
    "encode_output",
    "encode_run",
    "output_key",
    "read_output",
]

OUTPUT_TYPE = "output"
"""The AMQP `type` of such a message."""

MAX_CHUNK = 64 * 1024
"""Bytes of JSON in one chunk."""

MAX_CHUNKS = 5000
"""Chunks in one message, of all its runs."""

LARGEST_OUTPUT = 256 * 1024
"""Bytes of a message that is read. The SDK stays below either; whoever reads a message does nothing else
meanwhile.
"""


class RunOutput(BaseModel):
    """Some of what one run has told."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str = Field(min_length=1, max_length=128)
    generation: int = Field(default=1, ge=1, lt=2**31)
    attempt: int = Field(default=1, ge=1, lt=2**31)
    crashes: int | None = Field(default=None, ge=0)
    """As in an event: the token is of the attempt that many before."""
    task_token: str
    run: str = Field(default="", max_length=64)
    """Of this go of the handler: an attempt that another agent begins anew has another one."""
    republished: int = Field(default=0, ge=0, lt=2**31)
    """As the message says from which it was begun. Of two runs at one attempt, that of the later message is
    the current one."""
    returned: int = Field(default=0, ge=0, lt=2**31)
    """How often that message was in hand before: of two runs that began from one message, the later one is
    the current one."""
    first: int = Field(ge=1, lt=2**53)
    """The number of the first of the chunks; of the next one, where there are none."""
    chunks: list[Any] = Field(default_factory=list)
    """Texts, or any JSON."""
    ended: bool = False
    """Whether the handler tells nothing more: these are the last."""


class TaskOutput(BaseModel):
    """Carries partial output of runs of one agent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    agent_id: str = Field(min_length=1, max_length=128)
    output: list[RunOutput]


def output_key(agent_id: str) -> str:
    """The routing key of an agent's output on `coordinator.output`: a permission for topics lets nobody else
    use it.
    """
    return f"task.{encode_word(agent_id)}.output"


def read_output(message: Message, key: str) -> TaskOutput:
    """``key`` is the routing key that it was published with. Raises `MalformedMessage` or
    `ForgedIdentity`.
    """
    if len(message.body) > LARGEST_OUTPUT:
        raise MalformedMessage(
            f"output of {len(message.body)} bytes, and at most {LARGEST_OUTPUT} are read"
        )
    try:
        told = read_model(TaskOutput, message.body)
    except ValidationError as exc:
        raise MalformedMessage(f"output: {describe(exc)}") from exc
    chunks = sum(len(piece.chunks) for piece in told.output)
    if chunks > MAX_CHUNKS:
        raise MalformedMessage(
            f"output of {chunks} chunks, and at most {MAX_CHUNKS} are read at once"
        )
    if key != output_key(told.agent_id):
        raise ForgedIdentity(f"output of {told.agent_id!r} was published as {key!r}")
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """Begins each piece of one run, encoded once."""

    encoded: bytes

    @classmethod
    def of(cls, message: TaskMessage, *, crashes: int | None, returned: int, run: str) -> RunHeader:
        """``message`` has the number of the attempt, of which ``crashes`` are agents that were lost, and was
        in hand so often before.
        """
        told: dict[str, str | int] = {
            "task_id": message.task_id,
            "generation": message.generation,
            "attempt": message.attempt,
            "run": run,
            "task_token": message.task_token,
        }
        more = {"crashes": crashes, "republished": message.republished, "returned": returned}
        told |= {name: number for name, number in more.items() if number}
        return cls(encoded=to_json(told)[:-1])


def encode_run(header: RunHeader, first: int, chunks: Iterable[bytes], *, ended: bool) -> bytes:
    """One piece: ``chunks`` are JSON, the first of them has the number ``first``."""
    end = b',"ended":true}' if ended else b"}"
    return b'%b,"first":%d,"chunks":[%b]%b' % (header.encoded, first, b",".join(chunks), end)


def encode_output(agent_id: str, pieces: Sequence[bytes]) -> Message:
    """``pieces`` are made by `encode_run`. Of no worth once the broker was restarted."""
    return Message(
        body=b'{"agent_id":%b,"output":[%b]}' % (to_json(agent_id), b",".join(pieces)),
        type=OUTPUT_TYPE,
        persistent=False,
    )
