"""Writes what a client does as programs: generators that yield steps, and are sent what came of each.

    program ── Exchange ─▶ driver ── HTTP ─▶ service
            ◀─ ApiAnswer ─┘

A program knows no socket, no loop and no thread, so that the blocking and the asynchronous client run the
same ones, and tests run them with no network and a clock of their own. A driver does each step, sends its
outcome into the program, or throws a `NotReached` into it, and ends with what the program returns.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from coordinator.client.errors import ClientError, WaitTimedOut

from .answer_errors import error_of
from .answer_reading import json_object
from .http_messages import ApiAnswer, ApiRequest, Call
from .retry_rule import Retries, pause_before_retry

__all__ = [
    "Circumstances",
    "Deadline",
    "Emit",
    "Exchange",
    "HangUp",
    "Listen",
    "NextPiece",
    "Patience",
    "Pause",
    "Program",
    "Step",
    "asked",
    "emit",
    "listening",
]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send a request and read its answer. Comes to an `ApiAnswer`."""

    request: ApiRequest
    within: float
    """Seconds for each step of it, and without a byte of the answer."""
    at_most: float | None = None
    """Seconds for the whole body of the answer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds. Comes to None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Send a request whose answer does not end. Comes to an `ApiAnswer`, without a body where it is good:
    `NextPiece` reads that. One stream is open in a program at a time.
    """

    request: ApiRequest
    within: float
    """Seconds for the answer to begin."""
    silence: float
    """Seconds without a byte after which the connection counts as lost."""
    at_most: float | None
    """Seconds after which it is cut in any case."""


@dataclass(frozen=True, slots=True)
class NextPiece:
    """Read on in the stream. Comes to bytes, or to None where it has ended."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the stream, where one is open. Comes to None."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand this to whoever iterates over the program. Comes to None."""

    item: Any


Step: TypeAlias = Exchange | Pause | Listen | NextPiece | HangUp | Emit

Program: TypeAlias = Generator[Step, Any, Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Are what a program depends on beside answers."""

    retries: Retries = field(default_factory=Retries)
    clock: Callable[[], float] = time.monotonic
    """Called with nothing; seconds that never go back."""
    chance: Callable[[], float] = random.random
    """Called with nothing; from 0 to 1."""


class Deadline:
    """Is over after so many seconds; never, for None."""

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + max(0.0, seconds)

    @property
    def left(self) -> float | None:
        """Seconds, not below 0."""
        return None if self._end is None else max(0.0, self._end - self._clock())

    def within(self, seconds: float) -> float:
        """``seconds``, or what is left where that is less."""
        return seconds if self.left is None else min(seconds, self.left)

    def check(self, what: str) -> None:
        """Raises `WaitTimedOut` once it is over."""
        if self.left == 0.0:
            raise WaitTimedOut(what)


class Patience:
    """Counts how often something was tried in vain since it last went well, and for how long."""

    def __init__(self, now: Circumstances) -> None:
        self._now = now
        self._attempts = 0
        self._deadline: Deadline | None = None

    def begin(self) -> None:
        """Count the time from now on, and not only from the first failure."""
        self._deadline = Deadline(self._now.retries.total_seconds, self._now.clock)

    def went_well(self) -> None:
        """Forget what was in vain."""
        self._attempts, self._deadline = 0, None

    @property
    def left(self) -> float:
        """Seconds."""
        if self._deadline is None:
            return self._now.retries.total_seconds
        return self._deadline.left or 0.0

    def wait_after(
        self, error: ClientError, *, repeatable: bool, within: float | None = None
    ) -> Program[None]:
        """Pause before it is tried again. Raises ``error`` where it is not to be. ``within``: seconds that
        whoever called has left, beyond which nothing is waited for.
        """
        if self._deadline is None:
            self.begin()
        self._attempts += 1
        left = self.left if within is None else min(self.left, within)
        pause = pause_before_retry(
            error,
            repeatable=repeatable,
            attempts=self._attempts,
            left=left,
            chance=self._now.chance(),
            retries=self._now.retries,
        )
        if pause is None:
            raise error
        yield Pause(pause)


def asked(call: Call[Result], now: Circumstances, within: float | None = None) -> Program[Result]:
    """Make the call, again and again where that is worth it. Raises the last error."""
    patience = Patience(now)
    patience.begin()
    request = call.request
    while True:
        try:
            answer = yield from _answered(request, now, patience)
        except ClientError as error:
            yield from patience.wait_after(error, repeatable=request.repeatable, within=within)
        else:
            return call.read({} if answer.status == 204 else json_object(answer))


def _answered(request: ApiRequest, now: Circumstances, patience: Patience) -> Program[ApiAnswer]:
    usual = request.patience or now.retries.answer_seconds
    # A wait that was asked for is no silence, and not cut short by the time for repetitions.
    within = usual if request.patience else max(0.1, min(usual, patience.left))
    at_most = None if request.patience else max(0.1, patience.left)
    answer: ApiAnswer = yield Exchange(request, within, at_most)
    error = error_of(answer, request)
    if error is not None:
        raise error
    return answer


def listening(
    request: ApiRequest, now: Circumstances, *, silence: float, at_most: float | None
) -> Program[ApiAnswer]:
    """Open a stream, once. Raises the error that the answer is, or a `NotReached`."""
    within = now.retries.answer_seconds
    if at_most is not None:
        within = max(0.1, min(within, at_most))
    answer: ApiAnswer = yield Listen(request, within, silence, at_most)
    error = error_of(answer, request)
    if error is not None:
        yield HangUp()
        raise error
    return answer


def emit(item: Any) -> Program[None]:
    """Hand ``item`` to whoever iterates."""
    yield Emit(item)
