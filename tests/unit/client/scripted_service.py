"""Runs programs of the client with no network: each step is answered by a script, and time is a number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from coordinator.client.errors import NotReached
from coordinator.client.exchange.http_messages import ApiAnswer, ApiRequest
from coordinator.client.exchange.programs import (
    Circumstances,
    Emit,
    Exchange,
    HangUp,
    Listen,
    NextPiece,
    Pause,
    Program,
)
from coordinator.client.exchange.retry_rule import Retries

__all__ = ["Script", "answer", "frame"]

Result = TypeVar("Result")

Answering = Callable[[ApiRequest], ApiAnswer]


def answer(status: int = 200, *, headers: dict[str, str] | None = None, **body: Any) -> ApiAnswer:
    return ApiAnswer(status=status, headers=headers or {}, body=json.dumps(body).encode())


def frame(event: str = "", data: Any = None, *, position: int | str | None = None) -> bytes:
    lines = [] if position is None else [f"id: {position}"]
    lines += [f"event: {event}"] if event else []
    lines += [] if data is None else [f"data: {json.dumps(data)}"]
    return ("\n".join(lines) + "\n\n").encode()


@dataclass
class Script:
    """Answers requests with ``exchanges`` and streams with ``streams``, one after the other. An exception
    among them is what comes instead; a function is called with the request.
    """

    exchanges: Sequence[ApiAnswer | NotReached | Answering] = ()
    streams: Sequence[ApiAnswer | NotReached | Sequence[bytes | NotReached]] = ()
    requests: list[ApiRequest] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)
    hung_up: int = 0
    seconds: float = 0.0
    """Now."""
    takes: float = 0.0
    """Seconds that each answer takes."""

    def __post_init__(self) -> None:
        self._answers = iter(self.exchanges)
        self._streams = iter(self.streams)
        self._pieces: Iterator[bytes | NotReached] = iter(())

    def now(self, **retries: Any) -> Circumstances:
        return Circumstances(
            retries=Retries(**retries), clock=lambda: self.seconds, chance=lambda: 0.0
        )

    def run(self, program: Program[Result]) -> tuple[Result, list[Any]]:
        """What it returned, and what it emitted."""
        emitted: list[Any] = []
        outcome: Any = None
        while True:
            try:
                step = (
                    program.throw(outcome)
                    if isinstance(outcome, NotReached)
                    else program.send(outcome)
                )
            except StopIteration as end:
                return end.value, emitted
            if isinstance(step, Emit):
                emitted.append(step.item)
                outcome = None
            else:
                outcome = self._do(step)

    def _do(self, step: Any) -> Any:
        match step:
            case Exchange(request):
                self.requests.append(request)
                self.seconds += self.takes
                found = next(self._answers)
                return found(request) if callable(found) else found
            case Pause(seconds):
                self.paused.append(seconds)
                self.seconds += seconds
            case Listen(request):
                self.requests.append(request)
                opened = next(self._streams)
                if isinstance(opened, ApiAnswer | NotReached):
                    return opened
                self._pieces = iter(opened)
                return ApiAnswer(status=200)
            case NextPiece():
                return next(self._pieces, None)
            case HangUp():
                self.hung_up += 1
        return None
