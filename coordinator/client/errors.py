"""Raises what went wrong with a call of the API, in one tree:

    ClientError
    ├── Misconfigured                 the address, the key or the TLS files cannot be used, or do not fit
    ├── Unsendable                    what a call was given cannot be sent (a ValueError, too)
    ├── NotReached                    there was no answer
    │   ├── NotSent                   the request did not get there: nothing was done
    │   └── AnswerLost                it was sent, and may have been done
    ├── NotACoordinator               what answers speaks another language
    ├── ApiError                      an answer that is an error: status, code, detail
    │   ├── InvalidRequest            400, 406, 422 and other mistakes of the caller; errors: by field
    │   │   └── PayloadTooLarge       413
    │   ├── NotAuthenticated          401
    │   ├── RoleMissing               403
    │   ├── NotFound                  404
    │   ├── Conflict                  409
    │   ├── TooManyRequests           429; retry_after
    │   ├── Unavailable               503; retry_after
    │   │   └── OutcomeUnknown        without Retry-After: it may have been done; task_id
    │   └── ServerError               500 and other mistakes of the service, or of a proxy before it
    ├── NotAllAccepted                some of many submissions were refused; handles, errors
    ├── WaitTimedOut                  a task did not end in time (a TimeoutError, too)
    └── TaskNotCompleted              a task ended without a result; task
        ├── TaskDead
        ├── TaskCancelled
        └── TaskExpired

Branches are audiences: the caller can mend a Misconfigured, an Unsendable, an InvalidRequest, a Conflict; a
wait may mend NotReached, TooManyRequests and Unavailable, which the client has tried in vain before it raises
them; whoever runs the service has to mend the rest. The message of each is one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models.tasks import Task

__all__ = [
    "AnswerLost",
    "ApiError",
    "ClientError",
    "Conflict",
    "InvalidRequest",
    "Misconfigured",
    "NotACoordinator",
    "NotAllAccepted",
    "NotAuthenticated",
    "NotFound",
    "NotReached",
    "NotSent",
    "OutcomeUnknown",
    "PayloadTooLarge",
    "RoleMissing",
    "ServerError",
    "TaskCancelled",
    "TaskDead",
    "TaskExpired",
    "TaskNotCompleted",
    "TooManyRequests",
    "Unavailable",
    "Unsendable",
    "WaitTimedOut",
]


class ClientError(Exception):
    """Any error of this client."""


class Misconfigured(ClientError):
    """The client cannot be used as it was made. Never shows a key."""


class Unsendable(ClientError, ValueError):
    """The arguments of a call cannot be sent: an id that no path can have, a number that JSON lacks. Nothing
    was sent.
    """


class NotReached(ClientError):
    """There was no answer."""


class NotSent(NotReached):
    """The request did not get there, so nothing was done."""


class AnswerLost(NotReached):
    """The request was sent and the answer did not come, or not all of it: it may have been done."""


class NotACoordinator(ClientError):
    """Something else than a coordinator's API answers: another service, a proxy's page, or a redirect, which
    is not followed, since the key would go with it.
    """


class ApiError(ClientError):
    """An answer of the service that is an error. Its sentence is ``detail``."""

    def __init__(
        self,
        *,
        status: int,
        detail: str,
        request: str,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        """``request`` is method and path. ``retry_after`` is in seconds. ``request_id`` is the answer's
        `X-Request-Id`, where the service or a proxy before it gives one.
        """
        reason = (body or {}).get("reason")
        why = f" ({reason})" if isinstance(reason, str) else ""
        super().__init__(f"{request} answered {status}: {detail}{why}")
        self.status = status
        self.detail = detail
        self.request = request
        self.request_id = request_id
        self.retry_after = retry_after
        self.body: Mapping[str, Any] = body or {}

    def __reduce__(self) -> tuple[Any, ...]:
        """As pools of processes hand it on."""
        facts = ("status", "detail", "request", "request_id", "retry_after", "body")
        return partial(type(self), **{name: getattr(self, name) for name in facts}), ()

    @property
    def code(self) -> str | None:
        """A word for programs that keeps its meaning, such as `task_not_found`; sentences do not. None where
        a proxy has answered, or a service from before there were codes.
        """
        found = self.body.get("code")
        return found if isinstance(found, str) else None


class InvalidRequest(ApiError):
    """The caller has to change the request."""

    @property
    def errors(self) -> Sequence[Mapping[str, str]]:
        """Each wrong field with its message, where the service names them."""
        found = self.body.get("errors")
        return found if isinstance(found, list) else []


class PayloadTooLarge(InvalidRequest):
    """The body is larger than the service, or its broker, takes: send a reference to the data."""


class NotAuthenticated(ApiError):
    """The service asks for a key, or this one does not count."""


class RoleMissing(ApiError):
    """The key does not have the role."""


class NotFound(ApiError):
    """There is no such task, agent, schedule."""


class Conflict(ApiError):
    """Not possible as things stand; or an id was used for something else before."""


class TooManyRequests(ApiError):
    """More than this caller may send or have. Nothing was done."""


class Unavailable(ApiError):
    """The broker or the database is away. Nothing was done."""


class OutcomeUnknown(Unavailable):
    """The broker has not answered in time: it may have been done."""

    @property
    def task_id(self) -> str | None:
        """The id that the task has, if it was accepted."""
        found = self.body.get("task_id")
        return found if isinstance(found, str) else None


class ServerError(ApiError):
    """The service, or a proxy before it, has failed."""


class NotAllAccepted(ClientError):
    """Some of the tasks that were submitted together were refused."""

    def __init__(self, *, handles: Sequence[Any], errors: Mapping[int, ClientError]) -> None:
        """``handles`` has a handle, or None, for each task in the order of the submission; ``errors`` what
        each of the others would have raised alone, by its place.
        """
        first = min(errors)
        super().__init__(
            f"{len(errors)} of {len(handles)} tasks were not accepted; task {first}: {errors[first]}"
        )
        self.handles = handles
        self.errors = errors

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), handles=self.handles, errors=self.errors), ()


class WaitTimedOut(ClientError, TimeoutError):
    """The task, or some of several, had not ended when the time was over. It goes on."""


class TaskNotCompleted(ClientError):
    """The task ended, and there is no result. ``task`` says why."""

    def __init__(self, task: Task) -> None:
        said = "no reason given" if task.error is None else task.error.message
        super().__init__(f"Task {task.task_id} is {task.state}: {said}")
        self.task = task

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.task,)


class TaskDead(TaskNotCompleted):
    """It failed for good; `task.error` has the type, the message and the traceback."""


class TaskCancelled(TaskNotCompleted):
    """It was ended by request, or its queue was cleared."""


class TaskExpired(TaskNotCompleted):
    """Its deadline passed before it was started."""
