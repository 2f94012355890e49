"""Decodes messages of the log into events and checks each; parks what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from coordinator.broker.channel import Delivery
from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.domain.clock_skew import told_by_our_clock
from coordinator.errors import Unreadable
from coordinator.protocol.message_size import LARGEST_MESSAGE
from coordinator.protocol.messages.event_codec.event_reading import Refused, read
from coordinator.protocol.messages.events import Event, LedgerMarked, TaskEvent
from coordinator.registry.ledger.parked_messages import MessageToPark, parked_delivery, parked_event

from .event_validation import checked
from .left_out_fields_log import LeftOutFieldsLog
from .message_origin import check_origin

__all__ = ["LogDecoder", "LogReading"]


@dataclass(slots=True)
class LogReading:
    """Holds what one message of the log came to: events, parked ones, and marks."""

    delivery: Delivery
    events: list[Event] = field(default_factory=list)
    parked: list[MessageToPark] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    """Ids of `LedgerMarked`, which are passed on and never stored."""

    @property
    def mixed(self) -> bool:
        """Whether there is more in it than one event."""
        return len(self.events) > 1 or bool(self.parked or self.marks)

    def apart(self) -> list[LogReading]:
        """Each event alone, in order, and then what else there is."""
        alone = [LogReading(self.delivery, events=[event]) for event in self.events]
        return [*alone, LogReading(self.delivery, parked=self.parked, marks=self.marks)]


class LogDecoder:
    """Reads for one projector, from one thread at a time.

    ``secret`` is the key of the task tokens. ``identities`` are asked for with each message. ``skew_of``
    tells how far an agent's clock is ahead of this process's, None where that is not known; it is called
    with the agent's id, in the reading thread. ``largest``: bytes of a message that is read.
    """

    def __init__(
        self,
        *,
        secret: bytes,
        identities: Callable[[], BrokerIdentities] = lambda: ANYBODY,
        skew_of: Callable[[str], timedelta | None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        largest: int = LARGEST_MESSAGE,
    ) -> None:
        self._secret = secret
        self._largest = largest
        self._identities = identities
        self._skew_of = skew_of
        self._now = now
        self._left_out = LeftOutFieldsLog()

    def read(self, batch: Sequence[Delivery]) -> list[LogReading]:
        """One reading for each delivery, in order. Raises nothing for what is in them."""
        return [self._read_one(delivery) for delivery in batch]

    def _read_one(self, delivery: Delivery) -> LogReading:
        """Every event of a message; what is wrong with one of them parks that one alone."""
        reading = LogReading(delivery)
        try:
            check_origin(delivery)
        except Unreadable as exc:
            reading.parked.append(parked_delivery(delivery, exc, self._now()))
            return reading
        identities = self._identities()
        for one in read(delivery.message, delivery.routing_key, largest=self._largest):
            if isinstance(one, Refused):
                reading.parked.append(parked_delivery(delivery, one.why, self._now(), one.alone))
            else:
                self._check(one, reading, identities)
        return reading

    def _check(self, event: Event, reading: LogReading, identities: BrokerIdentities) -> None:
        try:
            identities.check(event.data, reading.delivery.message.user_id)
            if isinstance(event.data, LedgerMarked):
                reading.marks.append(event.id)
                return
            good = checked(event, self._secret, strict=identities.required)
        except Unreadable as exc:
            user = reading.delivery.message.user_id
            reading.parked.append(parked_event(event, exc, self._now(), user=user))
        else:
            self._left_out.tell(event.data.author or "", event.left_out)
            reading.events.append(self._by_our_clock(good))

    def _by_our_clock(self, event: Event) -> Event:
        """What an agent says of a task, with its instant by this process's clock: so it is kept."""
        if event.data.author is None or not isinstance(event.data, TaskEvent):
            return event
        skew = self._skew_of(event.data.author)
        time = told_by_our_clock(event.time, skew, self._now())
        return event if time is event.time else replace(event, time=time)
