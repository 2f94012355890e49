"""Notices floods of messages that cannot be folded, and names who sends them: a fold interceptor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch

__all__ = ["ParkedFloods"]

WITHIN = 60.0
"""Seconds over which messages are counted."""

FLOOD = 300
FLOOD_BYTES = 16 * 1024**2
"""Messages, or their bytes, of one author within that time: agents of good will send a handful."""

AUTHORS = 1000
"""Authors that are told apart; what others send is counted together."""

NAMED = 3
"""Authors in a sentence each."""

OTHERS = "many different authors"


@dataclass(slots=True)
class _Sent:
    began: float
    messages: int = 0
    size: int = 0


class ParkedFloods:
    """Counts what each author has parked within a minute. ``monotonic`` is a clock in seconds that is never
    set.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._sent: dict[str, _Sent] = {}

    def before(self, events: Sequence[Event]) -> None:
        """Nothing is parked yet."""

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002 - the port's
        now = self._monotonic()
        for parked in batch.parked:
            author = parked.author
            if author not in self._sent and len(self._sent) >= AUTHORS:
                self._forget_quiet(now)
                author = author if len(self._sent) < AUTHORS else OTHERS
            sent = self._sent.setdefault(author, _Sent(now))
            if now - sent.began >= WITHIN:
                sent.began, sent.messages, sent.size = now, 0, 0
            sent.messages += 1
            sent.size += len(parked.message.body)

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing was parked."""

    def problems(self) -> list[str]:
        """The worst floods of the last minute, a sentence each."""
        self._forget_quiet(self._monotonic())
        floods = [
            (sent.messages, sent.size, author)
            for author, sent in self._sent.items()
            if sent.messages >= FLOOD or sent.size >= FLOOD_BYTES
        ]
        return [
            f"{_called(author)} floods the log: {messages} messages of {size} bytes within a minute could not"
            " be read and were parked. Stop it, or take its broker user away; GET /parked shows what it"
            " sends."
            for messages, size, author in sorted(floods, reverse=True)[:NAMED]
        ]

    def _forget_quiet(self, now: float) -> None:
        for author in [one for one, sent in self._sent.items() if now - sent.began >= WITHIN]:
            del self._sent[author]


def _called(author: str) -> str:
    return repr(author) if author else "Somebody who does not tell who it is"
