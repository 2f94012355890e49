"""Waits for the answer to what one attempt asks people, in its slot.

    asked ─▶ told, and told again the rarer the longer ─▶ answered: the handler goes on
                                                       ─▶ too late: it is told so, `TimeoutError`

A command that brings an answer may be lost on its way, with the connection or the coordinator: who asks again
what has an answer is given it at once. While it waits, the time-outs of the attempt stand still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from coordinator.protocol.messages.task_events import MAX_ANSWERS
from coordinator.protocol.messages.task_message import InputAnswer

from .._values.asked_question import AskedQuestion
from ..agent_timings import Backoff
from ..outcome import InputRequired

__all__ = ["AnswerWait", "AsksPeople"]


@dataclass(frozen=True, slots=True)
class AsksPeople:
    """Publishes what one attempt asks."""

    ask: Callable[[AskedQuestion, int], None]
    """Publish the question; the number is how often that was done before."""
    resume: Callable[[AskedQuestion], None]
    """Publish that the attempt goes on without an answer."""


class AnswerWait:
    """Asks one question at a time; on the event loop. ``known`` are answers that attempts before this one
    have had. ``again`` bounds the pauses between two tellings; ``pause`` and ``go_on`` stop the clock of the
    attempt, and start it again.
    """

    def __init__(
        self,
        people: AsksPeople,
        *,
        known: Iterable[InputAnswer],
        again: Backoff,
        pause: Callable[[], None],
        go_on: Callable[[], None],
    ) -> None:
        self._people = people
        self._known = {_key(one): one for one in known}
        self._had: set[tuple[str, str]] = set()
        """What this attempt has asked and got an answer to."""
        self._again = again
        self._pause = pause
        self._go_on = go_on
        self._turn = asyncio.Lock()
        self._asked: AskedQuestion | None = None
        self._answer: asyncio.Future[InputAnswer] | None = None

    async def answer_to(self, asked: AskedQuestion) -> Any:
        """The answer. Raises `TimeoutError` where there is none in time, `InputRequired` where the attempt is
        to end with the question, and `ValueError` where the next one would not have all the answers.
        """
        async with self._turn:
            answer = self._known.get((asked.question_id, asked.digest))
            if answer is None and asked.release:
                self._check_room()
                raise InputRequired(asked)
            if answer is None:
                with self._stopped_clock():
                    answer = await self._told(asked)
                self._known[_key(answer)] = answer
            self._had.add(_key(answer))
        if answer.timed_out:
            raise TimeoutError(f"nobody has answered the question {answer.question_id!r} in time")
        return answer.answer

    def give(self, answer: InputAnswer) -> None:
        """A coordinator has it; nothing happens where this is not asked now."""
        asked, waiting = self._asked, self._answer
        if asked is None or waiting is None or waiting.done():
            return
        if _key(answer) == (asked.question_id, asked.digest):
            waiting.set_result(answer)

    def _check_room(self) -> None:
        if len(self._had) >= MAX_ANSWERS:
            raise ValueError(
                f"this attempt has had {MAX_ANSWERS} answers, which is all that another one is given: after"
                " this question it would ask the first again. Ask for several things at once, or keep what"
                " was answered elsewhere"
            )

    async def _told(self, asked: AskedQuestion) -> InputAnswer:
        self._asked = asked
        self._answer = asyncio.get_running_loop().create_future()
        telling = asyncio.create_task(self._tell(asked))
        try:
            async with asyncio.timeout(asked.timeout):
                return await self._answer
        except TimeoutError:
            self._people.resume(asked)
            return InputAnswer(
                question_id=asked.question_id, question_digest=asked.digest, timed_out=True
            )
        except asyncio.CancelledError:
            self._people.resume(
                asked
            )  # the handler waits no more; it may have something else to do
            raise
        finally:
            telling.cancel()
            self._asked = self._answer = None

    async def _tell(self, asked: AskedQuestion) -> NoReturn:
        pause, longest = self._again.first.total_seconds(), self._again.longest.total_seconds()
        repeated = 0
        while True:
            self._people.ask(asked, repeated)
            await asyncio.sleep(pause)
            repeated += 1
            pause = min(2 * pause, longest)

    @contextmanager
    def _stopped_clock(self) -> Iterator[None]:
        self._pause()
        try:
            yield
        finally:
            self._go_on()


def _key(answer: InputAnswer) -> tuple[str, str]:
    return answer.question_id, answer.question_digest
