"""Waits for the ends of many tasks over one connection.

    GET /events?task_id=…&state=completed&…  ── an end ─▶ GET /tasks/{id} ─▶ emitted
    each task is looked up once, when the stream is open: what ended before is not told there

So nothing is missed between the two, and thousands of tasks cost two requests each, one after another, and
one stream. Where a query cannot name all of them, the stream tells the ends of all tasks that this caller
may see.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.client.exchange.http_messages import ApiRequest, request
from coordinator.client.exchange.programs import (
    Circumstances,
    Deadline,
    Program,
    asked,
    emit,
)
from coordinator.client.models.tasks import ENDED

from .followed_stream import FollowedStream, Reopened, data_of
from .task_calls import task

__all__ = ["endings", "request_for"]

MOST_IDS = 100
"""In one query, as the service has it."""

LONGEST_QUERY = 4000
"""Characters: proxies refuse addresses above 8 KiB or so."""


def endings(
    task_ids: Iterable[str], now: Circumstances, timeout: float | None = None
) -> Program[None]:
    """Emits each task once, at its end, in the order of the ends. Raises `WaitTimedOut` where some have not
    ended after ``timeout`` seconds, and `NotFound` for one that is not there.
    """
    going_on = dict.fromkeys(task_ids)
    deadline = Deadline(timeout, now.clock)
    stream = FollowedStream(
        lambda: request_for(going_on),
        now,
        deadline=deadline,
        what=f"Some of {len(going_on)} tasks have not ended within {timeout or 0:g} seconds",
    )
    while going_on:
        found = yield from stream.next()
        if found is Reopened.GOING_ON:
            continue
        if isinstance(found, Reopened) or found.event in {"stream.reset", "stream.incomplete"}:
            candidates = list(going_on)
        else:
            data = data_of(found)
            ended = (data.get("data") or {}).get("state") in ENDED
            candidates = [data["subject"]] if ended and data.get("subject") in going_on else []
        for task_id in candidates:
            seen = yield from asked(task(task_id), now, deadline.left)
            # One that was tried again meanwhile goes on.
            if seen.ended:
                del going_on[task_id]
                yield from emit(seen)
    yield from stream.close()


def request_for(task_ids: Iterable[str]) -> ApiRequest:
    """For the ends of these tasks, or of all where they do not fit a query."""
    ids = list(task_ids)
    everyone = request("GET", "events", query={"state": sorted(ENDED)})
    if len(ids) > MOST_IDS:
        return everyone
    narrow = request("GET", "events", query={"state": sorted(ENDED), "task_id": ids})
    return narrow if len(narrow.path) <= LONGEST_QUERY else everyone
