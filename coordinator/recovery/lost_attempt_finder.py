"""Finds running tasks whose attempt is lost, and publishes `task.lost`: the law decides what follows.

What an agent takes is named in its heartbeats, waits on its queue, or is gone: its message
acknowledged and its outcome lost, parked for a wrong token, say.

    named by nobody, and so at the next look, too ─▶ not on its queue ─▶ and so for long
                                                           ─▶ task.lost, as a failure of the attempt

Each coordinator watches, in turn, on the clock that runs while it hears agents. The id of the event
is made of the attempt and its start, so that it is folded once, however many say it. The rule:
`coordinator.domain.lost_attempt_rule`; the decision: docs/decisions/0016.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages, ReadsQueueDepths
from coordinator.domain.lost_attempt_rule import Watch, Witness, patience
from coordinator.domain.task import Task, TasksInHand
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.protocol.messages.events import Event, TaskLost
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import EVENTS
from coordinator.task_log_context import task_context

from .empty_queue_check import is_empty
from .ports import CatchesUp, NotesEvent

__all__ = ["LostAttemptFinder"]

logger = logging.getLogger(__name__)

LOOKS = 4
"""Looks in the time after which an attempt is lost."""

MOST_TOLD = 10_000
"""Names without a token that are remembered as told; beyond it all are told anew."""

BATCH = 200
"""Attempts that are given up with one message."""


class FindsRunning(Protocol):
    """Reads the running tasks of the ledger: `registry.upkeep.running_tasks.RunningTasks`. Everything raises
    `LedgerUnavailable`.
    """

    async def look(self) -> Sequence[Task]:
        """Those that run, but for those whose own message was not folded yet."""

    async def passed(self, tasks: Sequence[Task]) -> Mapping[str, int]:
        """By task, where in the log the message was of the newest task of its queue that has started, of
        those that came after its own newest message; 0 for none.
        """

    async def messages(self, tasks: Sequence[Task]) -> Mapping[str, TaskMessage]:
        """The message of each task, by task; none for one that cannot be read any more."""


class HearsAgents(Protocol):
    """Tells what heartbeats say of attempts: `registry.agents.heartbeat_witnesses.HeartbeatWitnesses`."""

    @property
    def seconds_heard(self) -> float:
        """Seconds for which this process has heard agents: the clock of the watches."""

    def named(self, *, heard_within: timedelta) -> TasksInHand:
        """The tasks that agents which were heard lately are believed to have."""

    def claimed(self, *, heard_within: timedelta) -> Mapping[tuple[str, int], Collection[str]]:
        """By a task's id and generation, the agents heard lately that name it without being believed."""

    def of(self, agent_ids: Iterable[str], *, heard_within: timedelta) -> Sequence[Witness]:
        """What each of these agents says of an attempt that it started and does not name."""


class LostAttemptFinder:
    """Watches running attempts that no heartbeat names: one of the looks of `ExclusiveRounds`.

    An attempt is lost ``after`` so long; zero is never, and it is longer than heartbeats are apart.
    ``time_limit`` is what an attempt may take that has no limit of its own.
    """

    def __init__(
        self,
        *,
        running: FindsRunning,
        agents: HearsAgents,
        depths: ReadsQueueDepths,
        publisher: PublishesMessages,
        catch_up: CatchesUp,
        note: NotesEvent,
        after: timedelta,
        time_limit: timedelta,
    ) -> None:
        self._running = running
        self._agents = agents
        self._depths = depths
        self._publisher = publisher
        self._catch_up = catch_up
        self._note = note
        self._after = after
        self._time_limit = time_limit
        self._link: Link | None = None
        self._claims_told: set[tuple[str, str]] = set()
        """Agents with the tasks of others that they name."""
        self._watches: dict[str, Watch] = {}
        """By the id of the event that would tell of it."""

    @property
    def interval(self) -> float:
        """Seconds between two looks; 0 is never."""
        return self._after.total_seconds() / LOOKS

    async def look(self, link: Link) -> int:
        """One round; how many attempts were given up. Raises `Unavailable`."""
        if link is not self._link:
            self._watches.clear()  # the broker may have given back what was in hands
            self._link = link
        try:
            return await self._look(link)
        except Unavailable:
            self._watches.clear()  # outcomes may wait as well for what was not available
            raise

    async def _look(self, link: Link) -> int:
        # What agents say comes first: what they no longer name had its outcome confirmed before.
        now = self._agents.seconds_heard
        named = self._agents.named(heard_within=self._after)
        claimed = self._agents.claimed(heard_within=self._after)
        await self._catch_up()
        unnamed = {
            _id(task): task
            for task in await self._running.look()
            if not (task.is_in(named) or self._is_claimed(task, claimed))
            and self._may_be_judged(task)
        }
        before = self._watches
        again = {one: task for one, task in unnamed.items() if one in before}
        self._watches = dict.fromkeys(unnamed, Watch())
        self._watches |= await self._watched(link, now, again, before)
        lost = await self._lost(now, again)
        for start in range(0, len(lost), BATCH):
            await self._say(lost[start : start + BATCH])
        return len(lost)

    async def _watched(
        self, link: Link, now: float, tasks: Mapping[str, Task], before: Mapping[str, Watch]
    ) -> dict[str, Watch]:
        if not tasks:
            return {}
        passed = await self._running.passed(list(tasks.values()))
        queues = {_queue(task) for task in tasks.values()}
        empty = {queue: await is_empty(link, self._depths, queue) for queue in sorted(queues)}
        return {
            one: before[one].looked(now=now, empty=empty[_queue(task)], passed=passed[task.task_id])
            for one, task in tasks.items()
        }

    async def _lost(self, now: float, tasks: Mapping[str, Task]) -> list[Event]:
        lasted = {one: self._watches[one].lasted(now) for one in tasks}
        long = {one: time for one, time in lasted.items() if time and time >= self._after}
        messages = await self._running.messages([tasks[one] for one in long]) if long else {}
        lost: list[Event] = []
        for one, time in long.items():
            task = tasks[one]
            needed = self._patience(task, messages.get(task.task_id))
            if needed is not None and time >= needed:
                lost.append(Event(id=one, data=self._told(task, time)))
        return lost

    def _is_claimed(self, task: Task, claimed: Mapping[tuple[str, int], Collection[str]]) -> bool:
        """Whether one that has started this attempt names it. It said so with its token then, so that it
        needs none now; another has nothing to say.
        """
        agents = claimed.get((task.task_id, task.generation), ())
        holders = {one.agent_id for one in task.runners if one.attempt >= task.attempt}
        holders.add(_start(task)[0])
        others = {(agent_id, task.task_id) for agent_id in agents if agent_id not in holders}
        for agent_id, task_id in others - self._claims_told:
            logger.warning(
                "an agent names a task that another has started: it does not count as in its hands",
                extra=task_context(task_id, attempt=task.attempt, agent_id=agent_id),
            )
        if len(self._claims_told) > MOST_TOLD:
            self._claims_told.clear()
        self._claims_told |= others
        return not holders.isdisjoint(agents)

    def _may_be_judged(self, task: Task) -> bool:
        return self._patience(task, None) is not None

    def _patience(self, task: Task, message: TaskMessage | None) -> timedelta | None:
        limit = None if message is None else message.timeout_seconds
        return patience(
            self._agents.of(_starters(task), heard_within=self._after),
            after=self._after,
            time_limit=self._time_limit if limit is None else _duration(limit),
        )

    def _told(self, task: Task, time: timedelta) -> TaskLost:
        agent_id, started_at = _start(task)
        (said,) = self._agents.of([agent_id], heard_within=self._after)
        heard = said is Witness.DENIES
        what = "does not name it in its heartbeats" if heard else "was not heard of"
        return TaskLost(
            task_id=task.task_id,
            generation=task.generation,
            attempt=task.attempt,
            started_by=agent_id,
            started_at=started_at,
            reason="not-named" if heard else "agent-gone",
            message=f"For {time.total_seconds():.0f} s its agent {agent_id!r} {what}, and it was not"
            " on its queue.",
        )

    async def _say(self, events: Sequence[Event]) -> None:
        key, message = encode_batch(events)
        await self._publisher.publish(message, exchange=EVENTS, key=key)
        for event in events:
            del self._watches[event.id]  # should it not count, it is watched anew
            self._note(event)
            logger.warning(
                "an attempt was lost: its task is decided",
                extra=_log_context(event),
            )


def _log_context(event: Event) -> dict[str, object]:
    lost = event.data
    if not isinstance(lost, TaskLost):
        return task_context(lost.subject) | {"event": event.id}
    context = task_context(lost.task_id, attempt=lost.attempt, agent_id=lost.started_by)
    return context | {"event": event.id}


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, _LONGEST_SECONDS))


_LONGEST_SECONDS = 366 * 86400.0
"""A longer limit is none, and might leave what a duration can be."""


def _start(task: Task) -> tuple[str, datetime]:
    if task.agent_id is None or task.started_at is None:
        raise ValueError(f"{task.task_id} runs, and who started it when is not known")
    return task.agent_id, task.started_at


def _id(task: Task) -> str:
    agent_id, started_at = _start(task)
    start = hashlib.sha256(f"{started_at.isoformat()} {agent_id}".encode()).hexdigest()[:16]
    return f"{task.task_id}.{task.generation}.{task.attempt}.lost-{start}"


def _starters(task: Task) -> set[str]:
    return {_start(task)[0], *(runner.agent_id for runner in task.runners)}


def _queue(task: Task) -> str:
    if task.lane is None or task.priority is None:
        raise ValueError(f"{task.task_id} runs, and its queue is not known")
    return TaskQueue(task.lane, task.priority).queue
