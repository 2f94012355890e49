"""Defines an event: its envelope with an id and a time, and the base of all that events say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from coordinator.protocol.ids import new_id
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.trace_context import TraceContext

__all__ = ["MODEL_CONFIG", "Event", "EventData"]

MODEL_CONFIG = ConfigDict(frozen=True, extra="ignore")


class EventData(BaseModel):
    """The data of an event; its envelope is `Event`."""

    model_config = MODEL_CONFIG
    TYPE: ClassVar[str] = ""
    SPARED: ClassVar[tuple[str, ...]] = ()
    """Paths of fields that are left out where they cannot be read: the rest counts without them."""

    @classmethod
    def spares(cls, path: str) -> bool:
        """Whether ``path``, such as `metadata.host`, is that of a field in `SPARED` or of a part of one."""
        return f"{path}.".startswith(tuple(f"{field}." for field in cls.SPARED))

    @property
    def subject(self) -> str:
        """What the event is about: the id of a task or an agent, the name of a queue."""
        return ""

    @property
    def author(self) -> str | None:
        """The id of the agent that states it; None where a coordinator or the broker does."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with its identity: folding the same ``id`` twice changes nothing."""

    data: EventData
    id: str = field(default_factory=new_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """By the author's clock on its way; what agents say of tasks is kept by the coordinator's, as far
    as it knows theirs (`domain.clock_skew`). Shown to people, never used to order."""
    dated: bool = True
    """False where it came without an instant that could be read: ``time`` is then when it was read."""
    trace: TraceContext | None = None
    """Which trace it belongs to: CloudEvents' extension for distributed tracing. Not kept in the ledger."""
    left_out: tuple[LeftOut, ...] = ()
    """What of it could not be read and was not needed."""

    @property
    def type(self) -> str:
        return self.data.TYPE
