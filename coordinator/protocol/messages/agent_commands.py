"""Defines the commands to agents on `coordinator.control`, and reads and writes them: requests, in the
imperative, that may be refused.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coordinator.errors import MalformedMessage
from coordinator.protocol.message import Message
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.priority import Priority

from .registration import SourceOffer
from .task_message import InputAnswer, describe

__all__ = [
    "EVERY_AGENT",
    "CancelTask",
    "Command",
    "DrainAgent",
    "GiveAnswer",
    "LeaveSource",
    "Probe",
    "RegisterAgain",
    "ServeSource",
    "ServeSources",
    "agent_key",
    "decode_command",
    "encode_command",
    "word_key",
]

EVERY_AGENT = "all"
"""The routing key of a command to every agent."""


def agent_key(agent_id: str) -> str:
    """The routing key of a command to one agent."""
    return word_key(encode_word(agent_id))


def word_key(word: str) -> str:
    """The same for an agent by its ``word`` on the broker: `encode_word` of its id."""
    return f"agent.{word}"


class Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    TYPE: ClassVar[str] = ""


class CancelTask(Command):
    """Stop working on this task: it has ended, or somebody wants it to."""

    TYPE = "cancel"
    task_id: str
    generation: int = 1
    reason: str = "requested"


class GiveAnswer(Command):
    """This is the answer to a question that your attempt has asked: go on with it."""

    TYPE = "answer"
    task_id: str
    generation: int = 1
    question_id: str
    question_digest: str
    answer: Any = None
    timed_out: bool = False

    def given(self) -> InputAnswer:
        """The answer alone."""
        return InputAnswer(
            question_id=self.question_id,
            question_digest=self.question_digest,
            answer=self.answer,
            timed_out=self.timed_out,
        )


class ServeSources(Command):
    """These are all the queues for you: take from them, and from no other."""

    TYPE = "serve-sources"
    sources: list[SourceOffer]


class ServeSource(Command):
    """A queue was opened: take from it too, if you satisfy its requirements."""

    TYPE = "serve-source"
    lane: str
    priority: Priority
    requirements: dict[str, Any] = Field(default_factory=dict)


class LeaveSource(Command):
    """A queue is given up: look at it no more, and end your consumer on it, with which it stays. It is
    served again once it is opened again.
    """

    TYPE = "leave-source"
    lane: str
    priority: Priority


class RegisterAgain(Command):
    """Your heartbeat is not of an agent that is known here: register."""

    TYPE = "register-again"


class DrainAgent(Command):
    """Take nothing more, finish what runs, and end: the same as SIGTERM."""

    TYPE = "drain"


class Probe(Command):
    """Nothing: ignore it. It is sent to learn whether the agent has a control queue."""

    TYPE = "probe"


_COMMANDS: dict[str, type[Command]] = {
    model.TYPE: model
    for model in (
        CancelTask,
        GiveAnswer,
        ServeSources,
        ServeSource,
        LeaveSource,
        RegisterAgain,
        DrainAgent,
    )
}


def encode_command(command: Command) -> Message:
    return Message(
        body=command.model_dump_json(exclude_none=True).encode(),
        type=command.TYPE,
        persistent=False,
    )


def decode_command(message: Message) -> Command | None:
    """None for a command of a newer version that this one does not know. Raises
    `MalformedMessage`.
    """
    model = _COMMANDS.get(message.type or "")
    if model is None:
        return None
    try:
        return model.model_validate_json(message.body)
    except ValidationError as exc:
        raise MalformedMessage(f"{message.type}: {describe(exc)}") from exc
