"""Submits one task, or many in batches, so that repeating is safe: each request has an Idempotency-Key."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias, Unpack
from uuid import uuid4

from coordinator.client.errors import ClientError, PayloadTooLarge, Unavailable
from coordinator.client.exchange.answer_errors import error_of_verdict
from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import ApiRequest, Call, request
from coordinator.client.exchange.programs import Circumstances, Patience, Program, asked
from coordinator.client.models.accepted_tasks import Accepted
from coordinator.client.models.tasks import NewTask, TaskOptions

__all__ = ["MOST_TASKS", "Outcome", "submission", "submission_body", "submit_all"]

MOST_TASKS = 1000
"""In one batch, as the service has it."""

LARGEST_BATCH = 4 * 1024 * 1024
"""Bytes of one batch, unless one task is larger: a fourth of what the service takes by default. A batch
that is refused for its size all the same is halved."""

Outcome: TypeAlias = Accepted | ClientError
"""Of one of many: what it would have been answered, or would have raised, alone."""


def submission_body(task: NewTask | Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a submission. A mapping is taken for the task's data."""
    if not isinstance(task, NewTask):
        return {"task_data": dict(task)}
    told = {field.name: getattr(task, field.name) for field in fields(task)}
    return {name: value for name, value in told.items() if value is not None}


def submission(
    task: NewTask | Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
    **options: Unpack[TaskOptions],
) -> Call[Accepted]:
    """Submit a task: the data of one, with ``options``; or a `NewTask`, which has them. ``idempotency_key``
    is one of its own where it is not given: then each call is another task.
    """
    if options:
        task = (
            replace(task, **options)
            if isinstance(task, NewTask)
            else NewTask(task_data=task, **options)
        )
    asked = request(
        "POST",
        "tasks",
        "submit",
        json_body=submission_body(task),
        idempotency_key=idempotency_key or uuid4().hex,
    )
    return Call(asked, lambda body: read_as(Accepted, body))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Is a part of the tasks, from the one with this index on."""

    start: int
    bodies: Sequence[bytes]

    def halves(self) -> tuple[_Batch, _Batch]:
        middle = len(self.bodies) // 2
        return (
            _Batch(self.start, self.bodies[:middle]),
            _Batch(self.start + middle, self.bodies[middle:]),
        )

    def call(self, key: str) -> Call[list[Mapping[str, Any]]]:
        of_this = f"{key}:{self.start}+{len(self.bodies)}"
        asked = request("POST", "tasks", "submit", "batch", idempotency_key=of_this)
        body = b'{"tasks":[%b]}' % b",".join(self.bodies)
        return Call(replace(asked, body=body), lambda answer: list(part(answer, "results")))


def submit_all(
    tasks: Iterable[NewTask | Mapping[str, Any]],
    now: Circumstances,
    *,
    idempotency_key: str | None = None,
    batch_size: int = MOST_TASKS,
    largest: int = LARGEST_BATCH,
) -> Program[list[Outcome]]:
    """What came of each, in order. Raises what the first batch raises, if nothing was accepted before: no
    key, no service. With an ``idempotency_key`` of the caller's the same tasks may be submitted again.
    """
    bodies = [_encoded(task) for task in tasks]
    key = idempotency_key or uuid4().hex
    outcomes: list[Outcome | None] = [None] * len(bodies)
    waiting = deque(_batches(bodies, min(max(1, batch_size), MOST_TASKS), largest))
    while waiting:
        batch = waiting.popleft()
        try:
            found = yield from _verdicts(batch, key, now)
        except PayloadTooLarge as error:
            if len(batch.bodies) == 1:
                outcomes[batch.start] = error
            else:
                waiting.extendleft(reversed(batch.halves()))
            continue
        except ClientError as error:
            if not any(isinstance(one, Accepted) for one in outcomes):
                raise
            return [one or error for one in outcomes]
        outcomes[batch.start : batch.start + len(found)] = found
    return [one for one in outcomes if one is not None]


def _verdicts(batch: _Batch, key: str, now: Circumstances) -> Program[list[Outcome]]:
    """Of each task of the batch. It is sent again, under the same key, while some found the service away or
    are not known to be accepted, for as long as a call may take.
    """
    call = batch.call(key)
    patience = Patience(now)
    patience.begin()
    while True:
        verdicts = yield from asked(call, now, patience.left)
        outcomes = [_outcome(one, call.request) for one in verdicts]
        undecided = next((one for one in outcomes if isinstance(one, Unavailable)), None)
        if undecided is None:
            return outcomes
        try:
            yield from patience.wait_after(undecided, repeatable=True)
        except ClientError:
            return outcomes


def _outcome(verdict: Mapping[str, Any], asked: ApiRequest) -> Outcome:
    if verdict.get("status") == "accepted":
        return read_as(Accepted, verdict)
    found = {"status_code": 503, "detail": "It may have been accepted"}
    found |= verdict.get("error") or {}
    if "task_id" in verdict:
        found["task_id"] = verdict["task_id"]
    return error_of_verdict(found, asked)


def _encoded(task: NewTask | Mapping[str, Any]) -> bytes:
    body = request("POST", json_body=submission_body(task)).body
    assert body is not None  # noqa: S101 - it was given
    return body


def _batches(bodies: Sequence[bytes], most: int, largest: int) -> Iterator[_Batch]:
    start, size = 0, 0
    for index, body in enumerate(bodies):
        if index > start and (index - start >= most or size + len(body) > largest):
            yield _Batch(start, bodies[start:index])
            start, size = index, 0
        size += len(body) + 1
    if bodies:
        yield _Batch(start, bodies[start:])
