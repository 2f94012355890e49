"""Answers the question of a task by request: the answer is in the log, confirmed, before the request is.

What follows is the law's: an attempt that kept its slot is told, another one begins where it was given
back. An answer belongs to its question: it is taken as well while nobody works on the task, because the
agent that asked was lost, and whoever asks the same again has it at once.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn, Protocol

from pydantic_core import to_json

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task import Answer, Question, Task
from coordinator.errors import BrokerUnavailable, LedgerBehind, TaskNotFound, WrongState
from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, TaskAnswered
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import EVENTS
from coordinator.recovery.ports import FindsTaskAndMessage, NotesEvent, Settles, TakesTurns

from .answer_check import check_answer

__all__ = ["QuestionAnswered", "QuestionAnswerer"]


Judged = dict[str, Any] | None
"""The schema by which an answer was judged."""


class JudgesBySchema(Protocol):
    """Judges an answer by a JSON schema: `schema_check.SchemaCheck`."""

    async def __call__(self, schema: dict[str, Any], answer: Any) -> None:
        """Raises `InvalidRequest`, `WrongState` where nobody can answer by it, or `Unavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswered:
    """Tells that a question has its answer."""

    task_id: str
    question_id: str
    released: bool
    """Whether another attempt begins with it."""
    answered_at: datetime


class QuestionAnswerer:
    """Publishes `task.answered` for one task at a time, and tells whether that is what answered it."""

    def __init__(
        self,
        *,
        find: FindsTaskAndMessage,
        turns: TakesTurns,
        settle: Settles,
        publisher: PublishesMessages,
        check_schema: JudgesBySchema,
        note: NotesEvent,
    ) -> None:
        self._find = find
        self._turns = turns
        self._settle = settle
        self._publisher = publisher
        self._check_schema = check_schema
        self._note = note

    async def answer(
        self, task_id: str, answer: Any, *, question_id: str | None = None, by: str | None = None
    ) -> QuestionAnswered:
        """Answer the question that is open, which is ``question_id`` where that is given; ``by`` is who
        does. To say the same again is no error.

        Raises `TaskNotFound`, `InvalidRequest` for what is no answer to it, `WrongState` where there is
        nothing to answer, or `Unavailable`: repeating is safe.
        """
        judged = await self._judged(task_id, answer, question_id)
        try:
            event, question, generation = await self._turns.take(
                task_id, partial(_decide, answer, question_id, by, judged)
            )
        except _SaidBeforeError as said:
            return said.answered
        async with self._turns.sending(event.id):
            await self._publisher.publish(
                encode(event), exchange=EVENTS, key=routing_key(event.data)
            )
        self._note(event)
        await self._check_taken(event, question, generation)
        return QuestionAnswered(
            task_id=task_id,
            question_id=question.question_id,
            released=question.released,
            answered_at=event.time,
        )

    async def _judged(self, task_id: str, answer: Any, question_id: str | None) -> Judged:
        """The schema by which this is an answer, before it is this request's turn: that takes a while, and
        nobody else's request about the task should wait for it.
        """
        question = (await self._find(task_id))[0].question
        if question is None or question_id not in (None, question.question_id):
            return None
        check_answer(question, answer)
        if question.answer_schema is not None:
            await self._check_schema(question.answer_schema, answer)
        return question.answer_schema

    async def _check_taken(self, event: Event, question: Question, generation: int) -> None:
        """The log decides: the task may have ended a moment before, or its agent have gone on without."""
        with contextlib.suppress(LedgerBehind, BrokerUnavailable):
            await self._settle()
        try:
            after = (await self._find(event.data.subject))[0]
        except TaskNotFound:
            return  # deleted since
        if after.generation == generation and _known(after, question) is None:
            raise WrongState(
                f"The task is {after.state}: it went on without this answer just before it came"
            )


def _decide(
    answer: Any,
    question_id: str | None,
    by: str | None,
    judged: Judged,
    task: Task,
    message: TaskMessage,
) -> tuple[str, tuple[Event, Question, int]]:
    question = task.question
    if question is None or question_id not in (None, question.question_id):
        _refuse(task, answer, question_id)
    check_answer(question, answer)
    if question.answer_schema is not None and question.answer_schema != judged:
        raise WrongState("The task asks something else since a moment: look what, and answer that")
    event = Event(
        data=TaskAnswered(
            task_id=task.task_id,
            generation=task.generation,
            attempt=question.attempt,
            question_id=question.question_id,
            question_digest=json_digest(question.question),
            answer=answer,
            by=by,
        ),
        trace=message.trace,
    )
    return event.id, (event, question, task.generation)


class _SaidBeforeError(Exception):
    """The same answer was taken before: whoever did not hear that sends it again."""

    def __init__(self, answered: QuestionAnswered) -> None:
        super().__init__()
        self.answered = answered


def _refuse(task: Task, answer: Any, question_id: str | None) -> NoReturn:
    """Nothing is open that this could answer."""
    wanted = (one for one in reversed(task.answers) if question_id in (None, one.question_id))
    known = next(wanted, None)
    if known is not None and not known.timed_out and to_json(known.answer) == to_json(answer):
        raise _SaidBeforeError(
            QuestionAnswered(
                task_id=task.task_id,
                question_id=known.question_id,
                released=False,
                answered_at=known.at,
            )
        )
    if known is not None and question_id is not None:
        what = "timed out" if known.timed_out else "has another answer already"
        raise WrongState(f"The question {question_id!r} {what}")
    if task.question is not None:
        raise WrongState(
            f"The task asks {task.question.question_id!r} now, and not {question_id!r}"
        )
    raise WrongState(f"The task is {task.state}: it asks nothing")


def _known(task: Task, question: Question) -> Answer | None:
    mark = json_digest(question.question)
    return next(
        (
            one
            for one in task.answers
            if (one.question_id, one.question_digest) == (question.question_id, mark)
        ),
        None,
    )
