"""Places the attempts of a task on a line of time: bars for waiting and for work. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from coordinator.client import TimelineEvent

__all__ = ["AttemptRow", "Bar", "attempt_rows"]

WIDTH = 1000.0
"""Of the drawing, in its own units."""

NARROWEST = 3.0
"""Units, so that what took no time is seen."""

ENDS = {
    "task.completed": "completed",
    "task.failed": "failed",
    "task.lost": "failed",
    "task.cancelled": "cancelled",
    "task.expired": "cancelled",
    "task.declined": "cancelled",
}
"""Events that end an attempt, and the class of its bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Is a stretch of time in the drawing."""

    kind: str
    """`waiting`, `running`, `asking`, or how the work ended: `completed`, `failed`, `cancelled`."""
    x: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """Is one attempt."""

    generation: int
    attempt: int
    agent_id: str | None
    bars: Sequence[Bar]
    end: str
    """Of its last event, such as `failed`; while it has none, `waits` up to its start and then `goes on`."""
    seconds: float | None
    """From its start to its end, or to now; None where it has not started."""


def attempt_rows(events: Sequence[TimelineEvent], now: datetime) -> list[AttemptRow]:
    """One for each attempt that the timeline tells of, in its order."""
    if not events:
        return []
    first = min(event.time for event in events)
    last = max(event.time for event in events)
    groups: dict[tuple[int, int], list[TimelineEvent]] = {}
    for event in events:
        groups.setdefault((event.generation, max(1, event.attempt)), []).append(event)
    goes_on = not any(event.type in ENDS for event in [*groups.values()][-1])
    until = max(last, now) if goes_on else last
    scale = WIDTH / max((until - first).total_seconds(), 0.001)
    rows = []
    before = first
    for number, ((generation, attempt), told) in enumerate(groups.items()):
        row = _row(told, generation, attempt, before, until, number == len(groups) - 1)
        rows.append(row.drawn(first, scale))
        before = told[-1].time
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretches:
    generation: int
    attempt: int
    agent_id: str | None
    parts: Sequence[tuple[str, datetime, datetime]]
    end: str

    def drawn(self, first: datetime, scale: float) -> AttemptRow:
        bars = []
        for kind, start, end in self.parts:
            seconds = max(0.0, (end - start).total_seconds())
            x = min((start - first).total_seconds() * scale, WIDTH - NARROWEST)
            width = min(max(seconds * scale, NARROWEST), WIDTH - x)
            bars.append(Bar(kind=kind, x=round(x, 1), width=round(width, 1), seconds=seconds))
        work = [bar.seconds for bar in bars if bar.kind != "waiting"]
        return AttemptRow(
            generation=self.generation,
            attempt=self.attempt,
            agent_id=self.agent_id,
            bars=bars,
            end=self.end,
            seconds=sum(work) if work else None,
        )


def _row(
    told: Sequence[TimelineEvent],
    generation: int,
    attempt: int,
    before: datetime,
    until: datetime,
    is_last: bool,
) -> _Stretches:
    began = next((event.time for event in told if event.type == "task.started"), None)
    ended = next((event for event in told if event.type in ENDS), None)
    agent = next((event.agent_id for event in told if event.agent_id is not None), None)
    stop = ended.time if ended is not None else until if is_last else told[-1].time
    parts = [("waiting", before, began if began is not None else stop)]
    if began is not None:
        parts += _work(told, began, stop, "running" if ended is None else ENDS[ended.type])
    unended = "goes on" if began is not None else "waits"
    end = unended if is_last else told[-1].type.removeprefix("task.")
    return _Stretches(
        generation=generation,
        attempt=attempt,
        agent_id=agent,
        parts=[part for part in parts if part[2] > part[1] or part[0] != "waiting"],
        end=ended.type.removeprefix("task.") if ended is not None else end,
    )


def _work(
    told: Sequence[TimelineEvent], began: datetime, stop: datetime, kind: str
) -> list[tuple[str, datetime, datetime]]:
    """The work, and between it the times for which people were asked."""
    parts: list[tuple[str, datetime, datetime]] = []
    since, asking = began, False
    for event in told:
        if event.type == "task.asked" and not asking:
            parts.append((kind, since, event.time))
            since, asking = event.time, True
        elif event.type in ("task.answered", "task.resumed") and asking:
            parts.append(("asking", since, event.time))
            since, asking = event.time, False
    parts.append(("asking" if asking else kind, since, stop))
    return [part for part in parts if part[2] > part[1]] or parts
