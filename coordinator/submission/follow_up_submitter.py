"""Submits follow-up tasks: those that the handler of another task asks for, over the broker.

The token proves that whoever asks was given the parent. The task counts as one of whoever submitted the
parent: it is that caller's in the record, and under its quotas. It is submitted once, however often and of
whichever coordinator it is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ValidationError

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.domain.task import ENDED, Task
from coordinator.errors import (
    Conflict,
    CoordinatorError,
    InvalidRequest,
    KeyInUse,
    OperatorError,
    QueuesFull,
    TooManyRequests,
    Unavailable,
    WrongState,
    WrongToken,
)
from coordinator.protocol.json_values.lenient_reading import read_model
from coordinator.protocol.messages.agent_requests.follow_up import (
    NO_OWN_ID,
    FollowUpReply,
    FollowUpRequest,
    follow_up_id,
    other_task_under,
)
from coordinator.protocol.messages.task_message import TaskMessage, describe
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.trace_context import TraceContext

from .idempotent_submission import ClaimedWork, Worked
from .task_maker import Accepted, SubmitTask

__all__ = ["FollowUpSubmitter", "KnowsParents", "NotesFollowUp", "SubmitsOne", "WorksOnce"]

OPERATION = "follow-up"

LATER = 5.0
"""Seconds after which queues that are full may have room."""

MENDED = 60.0
"""Seconds after which an operator may have put something right."""


class KnowsParents(Protocol):
    """Reads tasks: `registry.queries.registry.Registry`. All raise `LedgerUnavailable`."""

    async def current_task(self, task_id: str) -> tuple[Task, TaskMessage]:
        """As the law has it now. Raises `TaskNotFound`, or `LedgerBehind`."""
        ...

    async def submissions(self, task_ids: Collection[str]) -> Mapping[str, TaskMessage]:
        """Those of the tasks that are known, by id."""
        ...


class SubmitsOne(Protocol):
    """Submits one task: `submitter.Submitter`."""

    async def submit(self, command: SubmitTask) -> Accepted: ...


class WorksOnce(Protocol):
    """Does the work of one key once: `idempotent_submission.IdempotentSubmission`."""

    async def run(self, key: str, fingerprint: str, work: ClaimedWork) -> Answered: ...


class NotesFollowUp(Protocol):
    """Writes down that a follow-up task was submitted."""

    def __call__(
        self, task_id: str, *, agent_id: str, parent_id: str, submitted_by: str | None
    ) -> None:
        """By this agent, which was given the parent, for whoever has submitted that."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpSubmitter:
    """Answers one request at a time."""

    secret: bytes
    """The key of the tokens."""
    tasks: KnowsParents
    submitter: SubmitsOne
    once: WorksOnce
    read: Callable[[dict[str, Any], str | None], SubmitTask]
    """Makes a command of the body of a submission, of that caller; raises `RequestError`."""
    admit: Callable[[str | None], None]
    """Called with the caller before a new task of its own is submitted; raises `TooManyRequests`."""
    note: NotesFollowUp

    async def answer(self, body: bytes, trace: TraceContext | None = None) -> FollowUpReply:
        """Whether the broker has the task, or why it never will. Raises `Unavailable` where nobody knows
        yet: then it is to be asked for again.
        """
        try:
            request = read_model(FollowUpRequest, body)
            found = await self._submitted(request, trace)
        except ValidationError as exc:
            return FollowUpReply(error=describe(exc))
        except KeyInUse as exc:
            raise Unavailable(str(exc)) from exc
        except TooManyRequests as exc:
            return FollowUpReply(error=str(exc), retry_after_seconds=exc.retry_after)
        except QueuesFull as exc:
            return FollowUpReply(error=str(exc), retry_after_seconds=LATER)
        except Unavailable:
            raise
        except OperatorError as exc:
            return FollowUpReply(error=str(exc), retry_after_seconds=MENDED)
        except CoordinatorError as exc:  # the caller's to mend: asking again does not
            return FollowUpReply(error=str(exc))
        return FollowUpReply.model_validate(found)

    async def _submitted(
        self, request: FollowUpRequest, trace: TraceContext | None
    ) -> Mapping[str, Any]:
        by = await self._who_submitted_parent(request)
        task_id = follow_up_id(request.task_id, request.generation, request.request_id)
        wish = replace(
            self.read(request.submission, by),
            task_id=task_id,
            parent_id=request.task_id,
            cancel_with_parent=request.generation if request.cancel_with_parent else None,
            trace=trace,
        )
        if wish.own_id is not None:
            raise InvalidRequest(NO_OWN_ID, field="task_data.task_id")

        async def work(claim: IdempotencyClaim) -> Worked:
            known = task_id in await self.tasks.submissions([task_id])
            if not known:
                self.admit(by)
            again = known or not claim.fresh
            accepted = await self.submitter.submit(replace(wish, repeated=again))
            self.note(
                task_id, agent_id=request.agent_id, parent_id=request.task_id, submitted_by=by
            )
            return Worked(
                body={
                    "task_id": accepted.task_id,
                    "priority": accepted.priority.value,
                    "submitted_at": accepted.submitted_at.isoformat(),
                }
            )

        try:
            answered = await self.once.run(f"{OPERATION} {task_id}", _digest(request), work)
        except KeyInUse:
            raise
        except Conflict as exc:
            raise Conflict(other_task_under(request.request_id)) from exc
        return answered.body or {}

    async def _who_submitted_parent(self, request: FollowUpRequest) -> str | None:
        """Whom its follow-up tasks are of. Raises `WrongToken`, `TaskNotFound`, or `WrongState` where the
        attempt is known to be over: who was given a task once does not submit in its name for ever.
        """
        delivered = request.attempt - request.crashes
        if not token_matches(
            self.secret, request.task_id, request.generation, delivered, request.task_token
        ):
            raise WrongToken("The task_token is not that of this attempt of the task")
        parent, message = await self.tasks.current_task(request.task_id)
        fence = (request.generation, request.attempt)
        if parent.state in ENDED or (parent.generation, parent.failed + 1) > fence:
            raise WrongState(
                f"This attempt of the task {request.task_id!r} is over, and submits nothing more"
            )
        return message.submitted_by


def _digest(request: FollowUpRequest) -> str:
    """The same for the same submission, whatever its spaces and the order of its keys."""
    asked = [OPERATION, request.submission, request.cancel_with_parent]
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
