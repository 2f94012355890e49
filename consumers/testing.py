"""Runs handlers in tests, with no broker.

ran = await run_task(agent, {"task_type": "word-count", "text": "a b"})
assert ran.result == {"words": 2}
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from coordinator.errors import InvalidRequest
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.agent_requests.follow_up import (
    NO_OWN_ID,
    follow_up_id,
    other_task_under,
)
from coordinator.protocol.messages.events import AttemptError
from coordinator.protocol.messages.task_message import InputAnswer, TaskMessage
from coordinator.protocol.priority import Priority

from ._handling.answer_wait import AsksPeople
from ._handling.artifact_transfers import ArtifactTransfers
from ._handling.handler_environment import HandlerEnvironment
from ._handling.handler_run import HandlerRun
from ._handling.handler_threads import HandlerThreads
from ._handling.output_buffer import Emitted
from ._handling.stop_reason import StopReason
from ._handling.sys_exit_containment import tasks_contained
from ._values.asked_question import AskedQuestion
from ._values.follow_up_wish import FollowUpWish
from ._values.handler_limits import HandlerLimits
from ._values.result_encoding import NotJson, encoded
from .agent import Agent
from .agent_options import CANCEL_GRACE, AgentOptions
from .handler_table import Handler, HandlerFunction
from .outcome import Asked, Cancelled, Completed, Discard, Failed, Outcome, RetryLater, Returned
from .task import FollowUp, Progress, SubmissionRefused

__all__ = [
    "Asked",
    "Cancelled",
    "Completed",
    "Discard",
    "Failed",
    "FollowUp",
    "Interruption",
    "Outcome",
    "Progress",
    "Ran",
    "RetryLater",
    "Returned",
    "SubmissionRefused",
    "run_task",
    "run_task_sync",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Says what became of a task."""

    outcome: Outcome
    progress: list[Progress] = field(default_factory=list)
    """Everything that the handler told, not thinned out."""
    output: list[Any] = field(default_factory=list)
    """Every chunk that it emitted, as JSON tells it."""
    questions: list[Any] = field(default_factory=list)
    """Everything that it asked people, as JSON tells it."""
    submitted: list[dict[str, Any]] = field(default_factory=list)
    """The follow-up tasks that it submitted, each as the body of `POST /tasks/submit`, with
    `cancel_with_parent` where that was asked for; one that was submitted again under its key is there
    once."""
    given_up: bool = False
    """Whether the handler went on after it was told to stop, until its grace was over."""

    @property
    def result(self) -> Any:
        """What the handler returned, as JSON tells it. Raises `AssertionError` if it failed."""
        if not isinstance(self.outcome, Completed):
            raise AssertionError(f"the task was not completed: {self.outcome}")
        return self.outcome.result

    @property
    def error(self) -> AttemptError:
        """Why it failed. Raises `AssertionError` if it did not."""
        if not isinstance(self.outcome, Failed):
            raise AssertionError(f"the task did not fail: {self.outcome}")
        return self.outcome.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Says what befalls a task while its handler is at work."""

    cancel_after: timedelta | None = None
    """When its task is cancelled; zero is as soon as the handler has begun."""
    progress_timeout: timedelta | None = None
    """How long it may tell of no progress."""
    grace: timedelta = CANCEL_GRACE
    """How long it may go on once it was told to stop."""


_NONE = Interruption()

_UNNAMED = AgentOptions(agent_id="in-a-test")
"""Of a function that is tested without its agent."""


class _People:
    """Answers at once, for as long as there are answers; then nobody does."""

    def __init__(self, answers: Iterable[Any]) -> None:
        self._answers = deque(answers)
        self._given: list[InputAnswer] = []
        self.questions: list[Any] = []
        self.give: Callable[[InputAnswer], None] = lambda _: None

    @property
    def has_answer(self) -> bool:
        return bool(self._answers)

    def ask(self, asked: AskedQuestion, repeated: int) -> None:
        if not repeated:
            self.give(self._answer_to(asked))

    def resume(self, asked: AskedQuestion) -> None:
        """Nobody is told."""

    def answers_with(self, asked: AskedQuestion) -> list[InputAnswer]:
        """All of them, and that to what an attempt ended with."""
        self._answer_to(asked)
        return list(self._given)

    def _answer_to(self, asked: AskedQuestion) -> InputAnswer:
        self.questions.append(asked.question)
        gone = not self._answers
        given = InputAnswer(
            question_id=asked.question_id,
            question_digest=asked.digest,
            answer=None if gone else self._answers.popleft(),
            timed_out=gone,
        )
        self._given.append(given)
        return given


class _FollowUps:
    """Takes everything that is submitted, and the same again as the same task."""

    def __init__(self, parent_id: str) -> None:
        self._parent_id = parent_id
        self._taken: dict[str, tuple[FollowUpWish, FollowUp]] = {}

    @property
    def submitted(self) -> list[dict[str, Any]]:
        return [
            wish.submission | ({"cancel_with_parent": True} if wish.cancel_with_parent else {})
            for wish, _ in self._taken.values()
        ]

    async def submit(self, wish: FollowUpWish) -> FollowUp:
        if wish.request_id not in self._taken:
            accepted = FollowUp(
                id=follow_up_id(self._parent_id, 1, wish.request_id),
                priority=_priority_of(wish.submission),
                submitted_at=datetime.now(UTC),
            )
            self._taken[wish.request_id] = (wish, accepted)
        known, accepted = self._taken[wish.request_id]
        if known != wish:
            raise SubmissionRefused(other_task_under(wish.request_id))
        return accepted


def _priority_of(submission: Mapping[str, Any]) -> Priority:
    """Raises `SubmissionRefused`, as a coordinator refuses what it can tell without its settings."""
    if submission["task_data"].get("task_id") is not None:
        raise SubmissionRefused(NO_OWN_ID)
    try:
        return Priority.parse(submission.get("priority"))
    except InvalidRequest as exc:
        raise SubmissionRefused(str(exc)) from exc


@dataclass(frozen=True, slots=True)
class _Others:
    """Are whom a handler turns to."""

    people: _People
    follow_ups: _FollowUps


async def run_task(
    agent: Agent | HandlerFunction,
    task_data: Mapping[str, Any] | BaseModel | None = None,
    *,
    priority: Priority | str = Priority.NORMAL,
    attempt: int = 1,
    metadata: Mapping[str, Any] | None = None,
    previous_progress: Any = None,
    group: str | None = None,
    tags: Sequence[str] = (),
    answers: Sequence[Any] = (),
    timeout: timedelta = timedelta(seconds=30),
    interruption: Interruption = _NONE,
    artifacts: Path | None = None,
) -> Ran:
    """Do one task the way an agent does it: with the agent's handler for its type and its interceptors, or
    with a function.

    What it asks people is answered by ``answers``, one after the other, in its slot or not; nobody answers
    what is asked after those. What it stores goes to the folder ``artifacts``, and what it fetches comes from
    there; None is the store that the agent has when it runs.

    Raises `LookupError` where the agent has no handler for the type: it would never be given the task, and
    `ValueError` for what nobody could send, such as a set in ``task_data``. What comes is plain JSON: tuples
    are lists, as they are in a task that was submitted.
    """
    message = TaskMessage(
        task_id=new_id(),
        attempt=attempt,
        max_attempts=attempt,
        task_data=_sent(
            task_data if isinstance(task_data, BaseModel) else dict(task_data or {}), "task_data"
        ),
        priority=Priority.parse(priority),
        submitted_at=datetime.now(UTC),
        metadata=_sent(dict(metadata or {}), "metadata"),
        group=group,
        tags=tuple(sorted(set(tags))) or None,
        previous_progress=_sent(previous_progress, "previous_progress"),
        task_token="in a test",  # noqa: S106 - nobody checks it
    )
    if isinstance(agent, Agent):
        found = agent.handlers.find(message.task_type)
        if found is None:
            raise LookupError(f"this agent has no handler for the type {message.task_type!r}")
        handler = found
        options = agent.options
    else:
        handler, options = Handler.of(agent), _UNNAMED
    if artifacts is not None:
        options = replace(options, artifacts=_address(artifacts))
    follow_ups = _FollowUps(message.task_id)
    people = _People([_sent(answer, "an answer") for answer in answers])
    limits = HandlerLimits(
        timeout=timeout,
        progress_timeout=interruption.progress_timeout,
        grace=interruption.grace,
        max_result_bytes=options.max_result_bytes,
    )
    others = _Others(people, follow_ups)
    ran = await _one_attempt(handler, message, options, limits, others, interruption)
    while isinstance(ran.outcome, Asked) and people.has_answer:
        message = message.model_copy(
            update={
                "attempt": message.attempt + 1,
                "answers": people.answers_with(ran.outcome.question),
            }
        )
        ran = await _one_attempt(handler, message, options, limits, others, interruption)
    return ran


def _address(folder: Path) -> str:
    return folder.absolute().as_uri()


def _sent(value: Any, what: str) -> Any:
    """As it would come over the broker."""
    try:
        return encoded(value)[0]
    except NotJson as exc:
        raise ValueError(f"{what} cannot be told as JSON ({exc.why}): {exc.advice}") from None


async def _one_attempt(
    handler: Handler,
    message: TaskMessage,
    options: AgentOptions,
    limits: HandlerLimits,
    others: _Others,
    interruption: Interruption,
) -> Ran:
    loop = asyncio.get_running_loop()
    people = others.people
    ended: asyncio.Future[Outcome] = loop.create_future()
    told: list[Progress] = []
    output: list[Any] = []

    def emit(chunk: bytes) -> Emitted:
        output.append(from_json(chunk))
        return Emitted()

    threads = HandlerThreads(1, name="task in a test")
    transfers = HandlerThreads(1, name="artifact in a test")
    run = HandlerRun(
        handler,
        message,
        environment=HandlerEnvironment(
            agent_id=options.agent_id,
            threads=threads,
            artifacts=ArtifactTransfers(options.artifact_store(), transfers),
            interceptors=options.interceptors,
        ),
        limits=limits,
        on_progress=told.append,
        on_output=emit,
        people=lambda: AsksPeople(people.ask, people.resume),
        submit=others.follow_ups.submit,
        on_end=ended.set_result,
        on_gone=lambda: None,
    )
    people.give = run.give_answer
    with tasks_contained(loop):
        run.begin()
        if interruption.cancel_after is not None:
            loop.call_later(
                interruption.cancel_after.total_seconds(), run.stop, StopReason.CANCELLED
            )
        try:
            outcome = await asyncio.shield(ended)
        finally:
            run.stop(StopReason.HURRIED)
            threads.close()
            transfers.close()
    return Ran(
        outcome=outcome,
        progress=told,
        output=output,
        questions=people.questions,
        submitted=others.follow_ups.submitted,
        given_up=run.given_up,
    )


def run_task_sync(
    agent: Agent | HandlerFunction,
    task_data: Mapping[str, Any] | BaseModel | None = None,
    **options: Any,
) -> Ran:
    """`run_task` for a test that is a plain function."""
    return asyncio.run(run_task(agent, task_data, **options))
