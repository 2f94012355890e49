"""What the agents have done, as they wrote it down themselves, and which of it was done again.

The promise is: executions ≤ tasks + attempts in flight at the faults + submissions answered "unknown".
It is checked for each task by itself, which is stricter than the sum:

* a task that fails ``failures`` times is due one execution, and one for each retry;
* one more is *excused* by each of its executions that was in flight when a fault hit its agent: begun,
  and its acknowledgement not at the broker yet. A message comes back once from one pair of hands;
* so it is where the message was in the hands of an agent that a fault had hit before: another did it
  meanwhile, and this one finds it in its socket when it wakes up;
* one more is excused by each time that it was submitted without an answer of 200 or "not sent", or that a
  coordinator published an attempt of it, a retry say, without an answer of the broker.

Anything beyond is an execution that no fault explains.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.faults import Injected

__all__ = ["Execution", "Record", "explained"]

ACK_ON_ITS_WAY = 5.0
"""Seconds, on a busy machine, from the broker's confirm of an outcome to its having taken the
acknowledgement that the agent then sends."""

NOTICED_LATE = 15.0
"""Seconds after a fault is over in which work is still begun that the broker has given to another: the
agent reads what lay in its socket before it learns that its connection is gone."""


@dataclass(slots=True)
class Execution:
    """One run of the handler; instants are seconds since 1970."""

    number: int
    """Of the wish that it is for."""
    agent: str
    began: float
    ended: float | None = None
    settled: float | None = None

    def in_hand_before(self, earlier: Execution, fault: Injected) -> bool:
        """Whether it may be what a fault kept in this agent's hands while ``earlier`` was done."""
        late = self.began <= fault.ended + NOTICED_LATE
        return fault.hits(self.agent) and fault.began <= earlier.began and late

    def in_flight_at(self, fault: Injected) -> bool:
        if not fault.hits(self.agent) or self.began > fault.ended + NOTICED_LATE:
            return False
        return self.settled is None or self.settled + ACK_ON_ITS_WAY >= fault.began


@dataclass(slots=True)
class Record:
    """Follows the file that all agents append to."""

    path: Path
    by_task: dict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))
    ends: list[float] = field(default_factory=list)
    """When an execution ended, in the order of the file."""
    _open: dict[tuple[str, ...], Execution] = field(default_factory=dict)
    _position: int = 0

    @property
    def executions(self) -> int:
        return sum(map(len, self.by_task.values()))

    def read(self) -> None:
        """Take in what was written since the last time."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._position)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode().splitlines():
            self._take(line.split(" "))

    def _take(self, fields: list[str]) -> None:
        at, (agent, pid, step, task_id, attempt, number) = float(fields[0]), fields[1:]
        key = (agent, pid, task_id, attempt)
        if step == "began":
            self._open[key] = execution = Execution(int(number), agent, at)
            self.by_task[task_id].append(execution)
        elif step == "ended":
            self._open[key].ended = at
            self.ends.append(at)
        elif key in self._open:  # else one that was not started: a crash loop told
            self._open.pop(key).settled = at


def explained(
    executions: Iterable[Execution], *, due: int, unknown: int, faults: Sequence[Injected]
) -> list[Injected | None] | None:
    """What explains each execution of a task beyond those that are ``due``: a fault, or None for an
    answer "unknown". None in place of the list where there are more than can be explained.
    """
    every = sorted(executions, key=lambda run: run.began)
    extra = max(0, len(every) - due)
    if not extra:
        return []
    excuses: list[Injected | None] = []
    for run, following in itertools.pairwise(every):
        hits = [
            fault
            for fault in faults
            if (run.in_flight_at(fault) and fault.began <= following.began)
            or following.in_hand_before(run, fault)
        ]
        excuses += hits[-1:]
    excuses += [None] * unknown
    return None if extra > len(excuses) else excuses[:extra]
