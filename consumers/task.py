"""Gives a handler its task, and the way to tell how far it has come."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, SupportsFloat, Unpack

from pydantic import BaseModel

from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.trace_context import TraceContext

from ._artifacts.artifact_data import ArtifactData
from ._artifacts.artifacts import Artifacts
from ._values.asked_question import AskedQuestion, asked_question
from ._values.attempt_log_context import task_context
from ._values.call_numbers import CallNumbers
from ._values.follow_up_wish import (
    FollowUp,
    FollowUpWish,
    SubmissionOptions,
    SubmissionRefused,
    follow_up_wish,
)
from ._values.output_chunk import encoded_chunk
from ._values.printable_text import class_name, printable_text

__all__ = ["FollowUp", "Progress", "SubmissionRefused", "Task"]

logger = logging.getLogger("consumers.task")

MAX_PROGRESS_TEXT = 1000
"""Characters of a progress message; the rest is cut."""

_NO_LINES = (bytes, bytearray, memoryview, set, frozenset, dict, list, tuple)


@dataclass(frozen=True, slots=True)
class Progress:
    """Says how far an attempt has come, as its handler told."""

    fraction: float | None
    """From 0 to 1."""
    message: str | None


class _Noted:
    """What `Task.progress` returns: may be awaited, which lets other tasks run, or ignored."""

    def __await__(self) -> Generator[None]:
        yield


class Task:
    """Is one attempt at a task, in the hands of a handler."""

    def __init__(
        self,
        message: TaskMessage,
        on_progress: Callable[[Progress], None],
        *,
        on_output: Callable[[bytes], Awaitable[None]],
        on_ask: Callable[[AskedQuestion], Any],
        on_artifact: Callable[[Callable[[Artifacts, Callable[[], None]], Any]], Any],
        on_submit: Callable[[FollowUpWish], Any],
        agent_id: str | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        """``on_progress`` is called with each word of progress, where the handler runs: on the event loop
        or in its thread; likewise ``on_output`` with each chunk, as JSON, ``on_ask`` with each
        question, ``on_submit`` with each follow-up task, and ``on_artifact`` with what moves an artifact, in
        a thread, and calls something with each piece. ``agent_id`` is for log lines, ``trace`` the place of
        the attempt in a trace.
        """
        self._message = message
        self._agent_id = agent_id
        self._on_progress = on_progress
        self._on_output = on_output
        self._on_ask = on_ask
        self._on_artifact = on_artifact
        self._on_submit = on_submit
        self._calls = CallNumbers()
        self._cancelled = False
        self._saw_cancelled = False
        self._log: logging.LoggerAdapter[logging.Logger] | None = None
        self._trace = trace
        self._on_word: Callable[[Progress], None] | None = None
        self._on_chunk: Callable[[int], None] | None = None

    @property
    def id(self) -> str:
        return self._message.task_id

    @property
    def data(self) -> dict[str, Any]:
        """The producer's `task_data`."""
        return self._message.task_data

    @property
    def type(self) -> str | None:
        """The producer's `task_data.task_type`."""
        return self._message.task_type

    @property
    def priority(self) -> Priority:
        return self._message.priority

    @property
    def attempt(self) -> int:
        """1 for the first go at this task."""
        return self._message.attempt

    @property
    def metadata(self) -> dict[str, Any]:
        return self._message.metadata or {}

    @property
    def group(self) -> str | None:
        """What the task belongs to: a word of the producer's, or the id of its batch; None for none."""
        return self._message.group

    @property
    def tags(self) -> tuple[str, ...]:
        """The producer's, sorted."""
        return self._message.tags or ()

    @property
    def submitted_at(self) -> datetime:
        return self._message.submitted_at

    @property
    def previous_progress(self) -> Any:
        """The last progress of the attempt before this one; None on the first."""
        return self._message.previous_progress

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context to hand on: calls that a handler makes with it as the header `traceparent`
        belong to the trace of whoever submitted the task. None where the task has no trace.
        """
        return None if self._trace is None else self._trace.traceparent

    @property
    def tracestate(self) -> str | None:
        """What tracing systems add to it, for the header `tracestate`."""
        return None if self._trace is None else self._trace.tracestate

    @property
    def trace(self) -> TraceContext | None:
        """Both together."""
        return self._trace

    @property
    def source(self) -> TaskQueue:
        """The queue on the broker that it belongs on."""
        return self._message.source

    @property
    def message_id(self) -> str:
        """Of the message of this attempt."""
        return self._message.message_id

    @property
    def cancelled(self) -> bool:
        """Whether to stop: a function in a thread should look now and then and return; what it returns
        after it was told so is not taken as a result.

        A coroutine need not look: it is cancelled.
        """
        self._saw_cancelled = self._cancelled
        return self._cancelled

    @property
    def saw_cancelled(self) -> bool:
        """Whether the handler looked at `cancelled` and was told to stop."""
        return self._saw_cancelled

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the task's id, type and attempt, the agent's id, and the id of the
        trace where there is one.
        """
        if self._log is None:
            extra = task_context(
                self.id,
                task_type=self.type,
                attempt=self.attempt,
                agent_id=self._agent_id,
                trace=self._trace,
            )
            self._log = logging.LoggerAdapter(logger, extra)
        return self._log

    def progress(self, fraction: float | None = None, message: str | None = None) -> _Noted:
        """Tell how far the work has come: ``fraction`` from 0 to 1 and a line for people.

        Call it as often as you like, from a coroutine (with or without `await`) or from a thread:
        what comes too fast is thinned out, and the last one is always told. Raises `ValueError`
        for a fraction outside 0 to 1, `TypeError` for one that is no number and for a message of bytes or
        of several values, and what ``str`` raises of a message: in the handler, and nowhere else.
        """
        part = None if fraction is None else _part(fraction)
        text = None if message is None else printable_text(_line(message), MAX_PROGRESS_TEXT)
        progress = Progress(part, text)
        self._on_progress(progress)
        if self._on_word is not None:
            self._on_word(progress)
        return _Noted()

    def emit(self, chunk: Any) -> Awaitable[None]:
        """Tell a piece of the result while the work goes on: a text, such as some words of a model, or any
        JSON. Whoever follows the task sees each, in order; the result is what the handler returns, as ever.

        Call it as often as you like, from a coroutine or from a thread. With `await`, or in a thread, it
        waits a moment where more is emitted than the broker takes. It never fails for that, nor waits for
        long: the oldest chunks are dropped then, which their numbers show. Raises `ValueError` for what is
        no JSON, or has more than 64 KiB of it.
        """
        encoded = encoded_chunk(chunk)
        if self._on_chunk is not None:
            self._on_chunk(len(encoded))
        return self._on_output(encoded)

    def ask(
        self,
        question: Any,
        *,
        schema: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        release: bool = False,
        question_id: str | None = None,
    ) -> Any:
        """Ask people for something that the work needs, such as an approval: with `await` in a coroutine, the
        answer itself in a thread. The task is `input_required` until `POST /tasks/{id}/input` answers.

        ``question`` is a text, or an object with `question`, and `choices` where these are all the answers
        there are; ``schema`` is a JSON schema for the answer. The handler keeps its slot, and its time-outs
        stand still, for ``timeout`` seconds: 900 by default and at most. With ``release=True`` the attempt
        ends here, and counts for none: another one begins when there is an answer, runs from the top, and
        has it at once where it asks the same. That may take as long as it likes.

        An answer is found again by ``question_id``, by default the number of the question in the attempt.
        Raises `TimeoutError` where nobody answers in time, `ValueError` for what cannot be asked.
        """
        number = self._calls.next("ask")
        asked = asked_question(
            question,
            question_id=str(number) if question_id is None else question_id,
            schema=schema,
            timeout=timeout,
            release=release,
        )
        return self._on_ask(asked)

    def store(
        self, data: ArtifactData, *, name: str | None = None, media_type: str | None = None
    ) -> Any:
        """Keep what is too large for a result in the store of the agent (`COORDINATOR_ARTIFACTS`): with
        `await` in a coroutine, at once in a thread. Gives an `ArtifactReference`, a plain dict with `uri`,
        `size`, `sha256`, `media_type` and `name`, for the result, a chunk, or the data of another task.

        ``data`` is bytes, the `Path` of a file, or a file that is open for reading bytes. ``name`` is for
        people, by default that of the file; ``media_type`` is guessed by the name. Nobody removes an artifact
        but the owner of the store: one of an attempt that fails stays, too.

        Raises `ArtifactStoreRefused` where there is no store, or no right to it, `ArtifactStoreUnavailable`
        where it cannot be reached, `TypeError` and `ValueError` for what cannot be stored, and `OSError` for
        a file that cannot be read.
        """
        return self._on_artifact(
            lambda artifacts, each: artifacts.store(
                data,
                task_id=self.id,
                attempt=self.attempt,
                name=name,
                media_type=media_type,
                each=each,
            )
        )

    def fetch(self, reference: Mapping[str, Any], *, to: Path | None = None) -> Any:
        """What `store` has kept, in this agent or another with the same store: bytes, or with ``to`` that
        path, to which it is written; with `await` in a coroutine, at once in a thread. More than 64 MiB are
        written to a file only.

        Raises `ArtifactMissing` where the store has it no more, `ArtifactDamaged` where the size or the
        digest is another than that of the reference, `ValueError` for what is no reference, and what `store`
        raises. A reference to anything outside the store of the agent is refused.
        """
        return self._on_artifact(
            lambda artifacts, each: artifacts.fetch(reference, to=to, each=each)
        )

    def submit(
        self,
        task_data: Mapping[str, Any] | BaseModel,
        *,
        key: str | None = None,
        cancel_with_parent: bool = False,
        **options: Unpack[SubmissionOptions],
    ) -> Any:
        """Submit a follow-up task, over the broker: with `await` in a coroutine, the `FollowUp` itself in a
        thread, once the broker has the task. ``options`` are the fields of
        `POST /tasks/submit`, such as ``priority``; whoever submitted this task has submitted that one, too.

        Each call is a task of its own, and so is that of the next attempt. With a ``key`` it is one task,
        however many attempts of this task submit it: use it where an attempt may be repeated. With
        ``cancel_with_parent`` it is cancelled when this task is cancelled or expires, unless it has ended.

        Waits while no coordinator answers. Raises `SubmissionRefused` with the reason, `ValueError` for what
        cannot be sent, `TypeError` for an option that there is not.
        """
        wish = follow_up_wish(
            task_data,
            options,
            key=key,
            cancel_with_parent=cancel_with_parent,
            attempt=self.attempt,
            numbers=self._calls,
        )
        return self._on_submit(wish)

    def enter_span(
        self,
        trace: TraceContext,
        on_word: Callable[[Progress], None],
        on_chunk: Callable[[int], None],
    ) -> None:
        """What follows belongs to this span, which is told of each word of progress, and of each chunk by its
        bytes, where the handler runs; the agent's own interceptor calls it.
        """
        self._trace, self._on_word, self._on_chunk = trace, on_word, on_chunk

    def cancel(self) -> None:
        """Ask the handler to stop; the agent calls it."""
        self._cancelled = True


def _line(message: object) -> str:
    """What a person reads is chosen by the author: of a container it would be Python's own notation."""
    if isinstance(message, _NO_LINES):
        raise TypeError(
            f"a message of progress is a line of text, not {class_name(message)}: write what people are"
            ' to read of it, such as f"{len(pages)} pages"'
        )
    return str(message)


def _part(fraction: object) -> float:
    """Any kind of number as a plain float from 0 to 1."""
    if isinstance(fraction, str | bytes | bytearray) or not isinstance(fraction, SupportsFloat):
        raise TypeError(f"a fraction is a number from 0 to 1, not {class_name(fraction)}")
    part = float(fraction)
    if not 0 <= part <= 1:
        raise ValueError(f"a fraction is from 0 to 1, not {part!r}")
    return part
