"""From the body of a submission to what submission is asked for."""

from __future__ import annotations

import re
from typing import Any

from coordinator.api.endpoint_services import EndpointServices
from coordinator.api.json_answer import iso
from coordinator.api.unknown_keys import with_warnings
from coordinator.api.wire.fields.instants import instant
from coordinator.protocol.messages.task_message import Backoff
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.submission.task_maker import Accepted, SubmitTask
from coordinator.submission.task_options import TaskOptions

from .schemas import SubmitTaskBody, TaskRequirements

__all__ = ["accepted_shape", "command", "submitted", "trace"]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def command(body: SubmitTaskBody, traceparent: str | None) -> SubmitTask:
    """Raises `InvalidRequest`."""
    return SubmitTask(
        task_data=body.task_data,
        priority=Priority.parse(body.priority),
        requirements=_requirements(body.requirements),
        timeout_seconds=body.timeout_seconds,
        options=_options(body),
        metadata=body.metadata,
        traceparent=traceparent,
    )


def accepted_shape(accepted: Accepted) -> dict[str, Any]:
    """What the answer tells of a task that was accepted."""
    shape = {
        "task_id": accepted.task_id,
        "priority": accepted.priority.value,
        "submitted_at": iso(accepted.submitted_at),
    }
    if accepted.not_before is not None:
        shape |= {"state": "scheduled", "not_before": iso(accepted.not_before)}
    return shape


async def submitted(
    wish: SubmitTask, wired: EndpointServices, unknown: str | None
) -> dict[str, Any]:
    """The body of the answer to a submission that was accepted; ``unknown`` is what `unknown_keys`
    has to say of it.
    """
    accepted = await wired.submitter.submit(wish)
    answer = {
        "status": "success",
        "message": "Task submitted successfully",
        **accepted_shape(accepted),
    }
    warning = await wired.explainer.warning(wish.requirements, wish.task_type)
    return answer | with_warnings(warning, unknown)


def trace(traceparent: str) -> str | None:
    """The W3C trace context in this header of a request, for the task to carry on."""
    return traceparent if _TRACEPARENT.fullmatch(traceparent) else None


def _options(body: SubmitTaskBody) -> TaskOptions:
    backoff = body.backoff
    return TaskOptions(
        max_attempts=body.max_attempts,
        # Not validated here: `submission.task_options` checks it, as all values, with a sentence for each.
        backoff=None if backoff is None else Backoff.model_construct(**backoff.model_dump()),
        progress_timeout_seconds=body.progress_timeout_seconds,
        delay_seconds=body.delay_seconds,
        not_before=instant(body.not_before, "not_before"),
        expires_in_seconds=body.expires_in_seconds,
        expires_at=instant(body.expires_at, "expires_at"),
    )


def _requirements(body: TaskRequirements | None) -> Requirements:
    if body is None:
        return Requirements()
    return Requirements(
        agent_type=body.agent_type or None,
        capabilities=tuple(body.capabilities or ()),
        services=tuple(body.services or ()),
        agent_id=body.agent_id or None,
    )
