"""Folds what an attempt asks people and what they answer: the task is `input_required` in between.

    running ── asked, keeping its slot ──▶ input_required ── answered, or goes on without ──▶ running
    running ── asked, giving its slot back ─▶ input_required ── answered, or too late ─▶ waiting ─▶ queued

An answer belongs to the task, not to the attempt that has asked: an attempt that asks the same again,
since its agent was lost meanwhile, is given it at once. While a task waits for people, its deadline waits.
"""

from __future__ import annotations

from datetime import datetime

from coordinator.domain.task import Answer, Question, Runner, State, Task
from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.events import (
    Event,
    TaskAnswered,
    TaskAsked,
    TaskResumed,
    TaskStarted,
)
from coordinator.protocol.messages.task_events import MAX_ANSWERS

from .attempts import fold_start
from .deadline_pause import with_later_deadline
from .effects import AnswerAgent, Folded, PublishAt, Rules, cancel_on
from .retries import capped_duration

__all__ = ["fold_answer", "fold_ask", "fold_resumption"]


def fold_ask(task: Task, event: Event, data: TaskAsked, rules: Rules) -> Folded:
    """An attempt has asked, which proves its start. What has an answer already is told so."""
    if task.ended:
        return Folded(task, (cancel_on(task, data.agent_id),))
    if data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(task)
    task = _started(task, event, data, rules)
    if task.question is not None and task.question.attempt != data.attempt:
        task = with_later_deadline(task, event.time)  # of an attempt that was lost over it
    known = next(
        (one for one in task.answers if _is_to(one, data.question_id, data.question)), None
    )
    question = Question(
        question_id=data.question_id,
        question=data.question,
        attempt=data.attempt,
        agent_id=data.agent_id,
        asked_at=event.time,
        until=_until(event.time, data.timeout_seconds),
        answer_schema=data.answer_schema,
        released=data.release,
    )
    return _released(task, question, known, rules) if data.release else _held(task, question, known)


def _held(task: Task, question: Question, known: Answer | None) -> Folded:
    if known is not None:
        again = _give(task, question.agent_id, known)
        if _asks_something_else(task.question, question):
            return Folded(task, (again,))  # told late: it has that answer, and asked another since
        return Folded(_going_on(task, question.attempt), (again,))
    if _is_repeated(task.question, question):
        return Folded(task)  # it counts from when it was asked first
    return Folded(task._replace(state=State.INPUT_REQUIRED, question=question))


def _released(task: Task, question: Question, known: Answer | None, rules: Rules) -> Folded:
    """The attempt is over: nothing of it is on a queue or in a hand."""
    gone = Runner(question.attempt, question.agent_id)
    task = task._replace(
        state=State.INPUT_REQUIRED,
        question=question,
        failed=question.attempt,
        released=task.released + 1,
        max_attempts=None if task.max_attempts is None else task.max_attempts + 1,
        agent_id=None,
        started_at=None,
        runners=tuple(runner for runner in task.runners if runner != gone),
    )
    return Folded(task) if known is None else _another_attempt(task, question.asked_at, rules)


def fold_answer(task: Task, event: Event, data: TaskAnswered, rules: Rules) -> Folded:
    """Somebody has answered the question, or its time is over."""
    question = task.question
    if not (task.known or task.ended):
        task = task._replace(
            started=max(task.started, data.attempt)
        )  # or nobody could have answered
    if task.ended or question is None or not _asks(question, data):
        return Folded(task)
    answer = Answer(
        question_id=data.question_id,
        question_digest=data.question_digest,
        answer=data.answer,
        timed_out=data.timed_out,
        by=data.by,
        at=event.time,
    )
    kept = tuple(one for one in task.answers if _question_of(one) != _question_of(answer))
    task = task._replace(answers=(*kept, answer)[-MAX_ANSWERS:])
    if question.released:
        return _another_attempt(task, event.time, rules)
    return Folded(
        _going_on(with_later_deadline(task, event.time), question.attempt),
        (_give(task, question.agent_id, answer),),
    )


def fold_resumption(task: Task, event: Event, data: TaskResumed, rules: Rules) -> Folded:
    """An attempt goes on without an answer, which proves its start."""
    question = task.question
    if not (task.known or task.ended or task.started):
        return Folded(_started(task, event, data, rules))
    if question is None or question.released:
        return Folded(task)
    if (question.question_id, question.attempt) != (data.question_id, data.attempt):
        return Folded(task)
    return Folded(_going_on(with_later_deadline(task, event.time), data.attempt))


def _started(task: Task, event: Event, data: TaskAsked | TaskResumed, rules: Rules) -> Task:
    if Runner(data.attempt, data.agent_id) in task.runners:
        return task
    started = TaskStarted(
        task_id=data.task_id,
        generation=data.generation,
        attempt=data.attempt,
        agent_id=data.agent_id,
    )
    return fold_start(task, event, started, rules).task


def _another_attempt(task: Task, at: datetime, rules: Rules) -> Folded:
    """At once: it was not a failure."""
    again = PublishAt(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.failed + 1,
        due=rules.now,
    )
    task = with_later_deadline(task, at)
    return Folded(task._replace(state=State.WAITING, question=None), (again,))


def _going_on(task: Task, attempt: int) -> Task:
    """Without the question; one that was lost meanwhile stays as it is."""
    waits = task.state is State.INPUT_REQUIRED and task.attempt == attempt
    return task._replace(question=None, state=State.RUNNING if waits else task.state)


def _give(task: Task, agent_id: str, answer: Answer) -> AnswerAgent:
    return AnswerAgent(
        agent_id=agent_id, task_id=task.task_id, generation=task.generation, answer=answer
    )


def _until(now: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else now + capped_duration(seconds)


def _is_to(answer: Answer, question_id: str, question: object) -> bool:
    return answer.question_id == question_id and answer.question_digest == json_digest(question)


def _asks(question: Question, data: TaskAnswered) -> bool:
    return (question.question_id, json_digest(question.question)) == (
        data.question_id,
        data.question_digest,
    )


def _question_of(answer: Answer) -> tuple[str, str]:
    return answer.question_id, answer.question_digest


def _asks_something_else(known: Question | None, question: Question) -> bool:
    """Whether the same attempt has another question open."""
    if known is None or known.attempt != question.attempt:
        return False
    return (known.question_id, known.question) != (question.question_id, question.question)


def _is_repeated(known: Question | None, question: Question) -> bool:
    if known is None:
        return False
    return known._replace(asked_at=question.asked_at, until=question.until) == question
