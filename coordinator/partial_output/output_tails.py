"""Keeps the tails of all tasks that tell partial output, bounded by bytes. Pure; time is an argument.

Which run of a task is the current one: that of the highest rank (`OutputRun.rank`), and of two at the same
the one that was heard of last. A run that another has taken the place of is not heard any more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from .output_items import OutputRun
from .output_tail import OutputTail

__all__ = ["FORGOTTEN_AFTER", "KEPT_AFTER_END", "OF_A_TASK", "OutputTails", "Taken"]

KEPT_AFTER_END = 60.0
"""Seconds that the tail of a run is kept that has ended, for who comes a little late."""

FORGOTTEN_AFTER = 3600.0
"""Seconds without a chunk after which a tail is forgotten: its agent may be gone."""

OF_A_TASK = 1024
"""Bytes of memory that a task takes beside its chunks."""

REMEMBERED = 16
"""Runs of one task that are known to be over."""

OF_A_RUN = 400
"""Bytes of memory that each of them takes, about."""


@dataclass(slots=True)
class _Task:
    tail: OutputTail
    told: float
    """When something came last."""
    over: list[OutputRun] = field(default_factory=list)

    @property
    def memory(self) -> int:
        """Bytes of it."""
        return OF_A_TASK + self.tail.memory + OF_A_RUN * len(self.over)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Says what was in a message of a run that counts."""

    new: int
    """Chunks that were not told before."""
    gap: bool
    """Whether there are others before them that did not come."""


class OutputTails:
    """Holds ``tail_bytes`` of each run at most, and ``most_bytes`` of memory for all. ``followed`` are the
    tasks that somebody reads now: they lose what was kept, but not the place where more is put.
    """

    def __init__(self, *, tail_bytes: int, most_bytes: int, followed: Collection[str] = ()) -> None:
        self._tail_bytes = tail_bytes
        self._most = most_bytes
        self._followed = followed
        self._tasks: OrderedDict[str, _Task] = OrderedDict()
        """The one that was told of longest ago is the first."""
        self.memory = 0
        """Bytes of all of it."""

    def __len__(self) -> int:
        return len(self._tasks)

    def of(self, task_id: str) -> OutputTail | None:
        """That of the current run."""
        task = self._tasks.get(task_id)
        return None if task is None else task.tail

    def under_way(self) -> Iterator[tuple[str, OutputTail]]:
        """The current runs that have not ended, with the ids of their tasks."""
        for task_id, task in self._tasks.items():
            if not task.tail.ended:
                yield task_id, task.tail

    def take(
        self,
        task_id: str,
        run: OutputRun,
        first: int,
        chunks: Sequence[bytes],
        *,
        ended: bool,
        now: float,
    ) -> Taken | None:
        """Add chunks of a run, which are numbered from ``first``. None for one that another has taken the
        place of.
        """
        task = self._tasks.get(task_id)
        before = 0
        if task is None:
            task = self._tasks[task_id] = _Task(self._new_tail(run), now)
        elif task.tail.run != run and not _follows(task, run):
            return None
        else:
            before = task.memory
            if task.tail.run != run:
                self._begin(task, run)
        self._tasks.move_to_end(task_id)
        task.told = now
        last = task.tail.last
        new = task.tail.add(first, chunks, ended=ended)
        gap = task.tail.last > last + new
        self.memory += task.memory - before
        self._make_room()
        return Taken(new=new, gap=gap)

    def doubt(self) -> None:
        """Nothing was heard for a while: whatever has not ended may have told something."""
        for task in self._tasks.values():
            task.tail.doubted = not task.tail.ended

    def forget(self, now: float) -> None:
        """What is of no use any more."""
        for task_id, task in list(self._tasks.items()):
            kept = KEPT_AFTER_END if task.tail.ended else FORGOTTEN_AFTER
            if now - task.told > kept and task_id not in self._followed:
                self._remove(task_id)

    def _new_tail(self, run: OutputRun) -> OutputTail:
        return OutputTail(run, most=self._tail_bytes)

    def _begin(self, task: _Task, run: OutputRun) -> None:
        """What was told before stays for those who are reading it, and goes with them."""
        task.over = [*task.over[1 - REMEMBERED :], task.tail.run]
        task.tail.successor = self._new_tail(run)
        task.tail = task.tail.successor

    def _make_room(self) -> None:
        for _ in range(len(self._tasks)):
            if self.memory <= self._most:
                return
            task_id = next(iter(self._tasks))
            if task_id in self._followed:
                task = self._tasks[task_id]
                self.memory -= task.memory - OF_A_TASK
                task.tail.drop_all()
                task.over.clear()
                self._tasks.move_to_end(task_id)
            else:
                self._remove(task_id)

    def _remove(self, task_id: str) -> None:
        task = self._tasks.pop(task_id)
        self.memory -= task.memory


def _follows(task: _Task, run: OutputRun) -> bool:
    """Whether a run that is not the current one takes its place."""
    current = task.tail.run
    return run.rank > current.rank or (run.rank == current.rank and run not in task.over)
