"""Checks what a handler submits as a follow-up task, makes plain JSON of it, and holds what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from pydantic import BaseModel

from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.agent_requests.follow_up import MAX_REQUEST_ID
from coordinator.protocol.priority import Priority

from .call_numbers import CallNumbers
from .printable_text import class_name
from .result_encoding import NotJson, encoded

__all__ = ["FollowUp", "FollowUpWish", "SubmissionOptions", "SubmissionRefused", "follow_up_wish"]

LONGEST_KEY = MAX_REQUEST_ID - 1
"""Characters of a key of the handler's own."""


class SubmissionOptions(TypedDict, total=False):
    """May be given to `Task.submit` beside the data: the fields of `POST /tasks/submit`."""

    priority: Priority | str
    requirements: Mapping[str, Any]
    timeout_seconds: float
    progress_timeout_seconds: float
    max_attempts: int
    backoff: Mapping[str, float]
    delay_seconds: float
    not_before: datetime
    expires_in_seconds: float
    expires_at: datetime
    metadata: Mapping[str, Any]
    group: str
    tags: Sequence[str]
    callback: Mapping[str, Any]


class SubmissionRefused(Exception):
    """The coordinator refuses the follow-up task that a handler has submitted, and says why.

    ``retry_after`` is in seconds where it may be taken later, such as when a quota is full; else None: no
    repetition would go better. A handler that lets it pass is tried again after that time, or not at all.
    """

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Is a task that a handler has submitted: the broker has it."""

    id: str
    priority: Priority
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpWish:
    """Says what is to be submitted, as plain JSON, and by what it is told from other requests."""

    request_id: str
    submission: dict[str, Any]
    cancel_with_parent: bool = False


def follow_up_wish(
    task_data: Mapping[str, Any] | BaseModel,
    options: Mapping[str, Any],
    *,
    key: str | None,
    cancel_with_parent: bool,
    attempt: int,
    numbers: CallNumbers,
) -> FollowUpWish:
    """One of ``attempt``, named by its content and how often that was submitted, unless the handler names it
    with a ``key``: an attempt that is run a second time, and gets elsewhere, names nothing else the same.
    Raises `ValueError` for what cannot be sent, and `TypeError` for an option that there is not.
    """
    unknown = sorted(set(options) - SubmissionOptions.__optional_keys__)
    if unknown:
        known = SubmissionOptions.__optional_keys__ | {"key", "cancel_with_parent"}
        raise TypeError(
            f"task.submit has no option {unknown[0]!r}: there are {', '.join(sorted(known))}"
        )
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters")
    told = {name: _told(value) for name, value in options.items() if value is not None}
    data = task_data if isinstance(task_data, BaseModel) else dict(task_data)
    try:
        submission = encoded({"task_data": data} | told)[0]
    except NotJson as exc:
        raise ValueError(
            f"what is submitted must be plain JSON ({exc.why}): {exc.advice}"
        ) from None
    if not isinstance(submission["task_data"], dict):
        raise ValueError(
            f"task_data is an object, and {class_name(task_data)} is told as none: give a dict, or a model"
            " with fields"
        )
    bound = bool(cancel_with_parent)
    if key is None:
        content = json_digest([submission, bound])
        name = f"{attempt}.{content}.{numbers.next(content)}"
    else:
        name = f"={key}"  # no call is named so
    return FollowUpWish(request_id=name, submission=submission, cancel_with_parent=bound)


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Priority) else value
