"""Submits the tasks of recurring schedules when they are due.

    lease ─▶ submit, under an id made of the schedule and the tick ─▶ advance to the next tick

The id makes it one run for each tick, however many coordinators there are and wherever one of them
dies: submitting the same id again is the same task. A lease is renewed while the broker takes its
time. While the broker takes nothing, nothing is leased: once it is back, what is due goes on at once.

A schedule that can no longer be run is set aside and tells why; all others go on. A coordinator that can
run it, one with newer zone data, say, takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.domain.cron.ticks import Missed, due_now
from coordinator.errors import (
    CoordinatorError,
    InvalidRequest,
    LedgerUnavailable,
    OutcomeUnknown,
    Unavailable,
)
from coordinator.task_log_context import task_context

from .ports import IsReady

__all__ = ["ScheduleRunner", "tick_id"]

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks for what is due."""

RENEWED_EVERY = 1.5
"""Seconds between two renewals of a lease, which lasts three times as long."""

TAKE_UP_EVERY = 60.0
"""Seconds between two looks for what was set aside and can be run after all."""

GRACE = 60.0
"""Seconds after its time for which a tick is on time; later it was missed."""

_NAMESPACE = uuid.UUID("6f1c8a52-5b0e-4c56-9e0b-0a7c1f1f2a11")


class DueSchedule(Protocol):
    """A recurring schedule that is due: `registry.stores.recurring_schedule.RecurringSchedule`."""

    @property
    def schedule_id(self) -> str: ...
    @property
    def cron(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def missed(self) -> Missed:
        """What becomes of ticks that were missed."""

    @property
    def task(self) -> dict[str, Any]:
        """The body of a submission."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def created_by(self) -> str | None:
        """Whose its tasks are."""

    @property
    def next_at(self) -> datetime | None:
        """Its first tick that is not done; None where it has no more."""

    @property
    def in_doubt(self) -> bool:
        """Whether its ticks may have been submitted before, by a coordinator that told nobody."""

    @property
    def unreadable(self) -> str | None:
        """Why its row cannot be read; None where it can."""


class LeasesSchedules(Protocol):
    """Leases due schedules to one coordinator: `registry.stores.schedules.Schedules`. Everything raises
    `LedgerUnavailable`.
    """

    async def lease_due(self) -> Sequence[Any]:
        """Each a `DueSchedule`, for this process alone until the lease ends."""

    async def renew(self, leased: Sequence[Any]) -> None:
        """Their ticks are still being submitted by this process."""

    async def give_back(self, schedule: Any) -> None:
        """Nothing was submitted: anybody may lease it again."""

    async def set_aside(self, schedule: Any, why: str) -> None:
        """It cannot be run any more: it is not due, and tells ``why``."""

    async def take_up(self) -> Sequence[str]:
        """Set going what was set aside and can be run here; the ids."""

    async def advance(
        self,
        schedule: Any,
        seen_to: datetime,
        ran: tuple[datetime, str] | None,
        error: str | None,
    ) -> None:
        """All ticks up to ``seen_to`` are done: the last that ``ran``, with the id of its task, and the
        ``error`` of the last that did not.
        """


class SubmitsBody(Protocol):
    """Submits the body of a submission, as if it came over HTTP: bootstrap has it of
    `submission.submitter`.
    """

    async def __call__(self, body: dict[str, Any], *, by: str | None, repeated: bool) -> object:
        """Return once the broker has confirmed it; what is returned is not looked at. ``by`` is the caller of
        the API whose task it is. ``repeated``: it may
        have been accepted before, by any coordinator. Raises a `CoordinatorError` where it was refused.
        """


def tick_id(schedule_id: str, created_at: datetime, tick: datetime) -> str:
    """Makes the id of the task of one tick, always the same. A schedule that is deleted and made again has
    others.
    """
    text = f"{schedule_id}\n{created_at.isoformat()}\n{tick.isoformat()}"
    return str(uuid.uuid5(_NAMESPACE, text))


class ScheduleRunner:
    """Leases due schedules, and submits a task for each tick. Run `run` as long as the process lasts.

    While the broker is not ``ready``, nothing is leased. Seconds: ``look_every`` between two looks for what
    is due, ``renewed_every`` between two renewals of a lease.
    """

    def __init__(
        self,
        *,
        schedules: LeasesSchedules,
        submit: SubmitsBody,
        ready: IsReady,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_every: float = LOOK_EVERY,
        renewed_every: float = RENEWED_EVERY,
    ) -> None:
        self._schedules = schedules
        self._submit = submit
        self._ready = ready
        self._now = now
        self._look_every = look_every
        self._renewed_every = renewed_every

    async def run(self) -> NoReturn:
        """Ends only by cancellation; an outage of the ledger or the broker is waited for."""
        loop = asyncio.get_running_loop()
        take_up_at = loop.time()
        while True:
            await asyncio.sleep(self._look_every)
            try:
                if loop.time() >= take_up_at:
                    await self.take_up()
                    take_up_at = loop.time() + TAKE_UP_EVERY
                await self.look()
            except LedgerUnavailable as exc:
                logger.info("schedules wait for the ledger", extra={"why": str(exc)})

    async def take_up(self) -> None:
        """Set going what was set aside and can be run here. Raises `LedgerUnavailable`."""
        for schedule_id in await self._schedules.take_up():
            logger.info("a schedule goes on", extra={"schedule": schedule_id})

    async def look(self) -> None:
        """Run what is due now. Raises `LedgerUnavailable`."""
        if not self._ready():
            return
        left = list(await self._schedules.lease_due())
        renewing = asyncio.create_task(self._renew(left))
        try:
            while left:
                await self._run(left[0])
                del left[0]
        finally:
            await cancel_and_wait(renewing)

    async def _renew(self, left: Sequence[DueSchedule]) -> NoReturn:
        while True:
            await asyncio.sleep(self._renewed_every)
            with contextlib.suppress(LedgerUnavailable):  # whoever takes them then runs them
                await self._schedules.renew(left)

    async def _run(self, schedule: DueSchedule) -> None:
        now = self._now() if schedule.next_at is None else max(self._now(), schedule.next_at)
        try:
            ticks = _due(schedule, now)
        except CoordinatorError as exc:
            logger.error(
                "a schedule is set aside: %s", exc, extra={"schedule": schedule.schedule_id}
            )
            await self._schedules.set_aside(schedule, str(exc))
            return
        ran: tuple[datetime, str] | None = None
        error: str | None = None
        seen_to: datetime | None = None
        for tick in ticks:
            task_id = tick_id(schedule.schedule_id, schedule.created_at, tick)
            context = _log_context(schedule, task_id)
            try:
                await self._submit_run(schedule, task_id)
            except Unavailable as exc:
                logger.info("a schedule waits", extra=context | {"why": str(exc)})
                if schedule.in_doubt or isinstance(exc, OutcomeUnknown):
                    return  # the lease runs out, and whoever takes it then submits the same ids
                if seen_to is None:
                    await self._schedules.give_back(schedule)
                    return
                now = seen_to
                break
            except CoordinatorError as exc:
                error = str(exc)
                logger.error("a schedule's task was refused: %s", exc, extra=context)
            except Exception as exc:
                # One that cannot be submitted holds up no other; its next tick is tried.
                error = f"{type(exc).__name__}: {exc}"
                logger.exception("a schedule's task failed to be submitted", extra=context)
            else:
                ran = tick, task_id
            seen_to = tick
        await self._schedules.advance(schedule, now, ran, error)

    async def _submit_run(self, schedule: DueSchedule, task_id: str) -> None:
        data = {**schedule.task["task_data"], "task_id": task_id}
        body = {**schedule.task, "task_data": data}
        await self._submit(body, by=schedule.created_by, repeated=schedule.in_doubt)


def _log_context(schedule: DueSchedule, task_id: str) -> dict[str, object]:
    """Nothing was published yet: there is no attempt and no agent to name."""
    task_type = schedule.task["task_data"].get("task_type")
    context = task_context(task_id, task_type=None if task_type is None else str(task_type))
    return context | {"schedule": schedule.schedule_id}


def _due(schedule: DueSchedule, now: datetime) -> list[datetime]:
    """Raises `CoordinatorError` where it cannot be run."""
    if schedule.unreadable is not None:
        raise InvalidRequest(schedule.unreadable)
    if schedule.next_at is None:
        return []
    return due_now(
        schedule.cron, schedule.timezone, schedule.next_at, now, schedule.missed, grace=GRACE
    )
