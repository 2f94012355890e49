"""Keeps recurring schedules, for `api.ports.KeepsSchedules` and `recovery.schedule_runner`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from coordinator.domain.cron.ticks import check_cron, next_tick
from coordinator.errors import Conflict, ScheduleNotFound
from coordinator.protocol.id_limits import check_path_id
from coordinator.registry.ledger.ledger import Ledger

from . import schedule_edits as edits
from . import schedule_leases as leases
from . import schedule_rows as rows
from .recurring_schedule import RecurringSchedule

__all__ = ["LEASE", "Schedules"]

LEASE = timedelta(seconds=5)
"""How long a lease lasts unless it is renewed: what was leased by a process that died waits so long."""

LEASED_AT_ONCE = 50


class Schedules:
    """Makes, shows, pauses and leases schedules. Every method raises `LedgerUnavailable` where the ledger is
    away.
    """

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._now = now

    async def create(self, schedule: RecurringSchedule, *, most: int = 0) -> RecurringSchedule:
        """Raises `InvalidRequest`, or `Conflict` where the id is taken; `TooManyRequests` where who
        makes it has ``most`` already, if that is not 0.
        """
        check_path_id(schedule.schedule_id, "schedule_id", field="schedule_id")
        check_cron(schedule.cron, schedule.timezone)
        first = next_tick(schedule.cron, schedule.timezone, self._now())
        schedule = replace(schedule, next_at=first)
        if not await self._ledger.write(partial(rows.add, schedule, most)):
            raise Conflict(
                f"A schedule {schedule.schedule_id!r} exists: delete it first, or choose another id"
            )
        return schedule

    async def get(self, schedule_id: str) -> RecurringSchedule:
        """Raises `ScheduleNotFound`."""
        return _there(await self._ledger.read(partial(rows.find, schedule_id)), schedule_id)

    async def page(self, after: str, limit: int) -> tuple[list[RecurringSchedule], bool]:
        """At most ``limit`` of them by id, after the id ``after``, and whether there are more; empty begins
        with the first.
        """
        return await self._ledger.read(partial(rows.page, after, limit))

    async def pause(self, schedule_id: str) -> RecurringSchedule:
        """Raises `ScheduleNotFound`."""
        return _there(await self._ledger.write(partial(edits.pause, schedule_id)), schedule_id)

    async def resume(self, schedule_id: str) -> RecurringSchedule:
        """What passed meanwhile was paused, and is not missed. Raises `ScheduleNotFound`, or
        `WrongState` for one that cannot be read any more.
        """
        resuming = partial(edits.resume, schedule_id, self._now())
        return _there(await self._ledger.write(resuming), schedule_id)

    async def edit(self, schedule_id: str, wanted: edits.ScheduleEdit) -> RecurringSchedule:
        """As it is then. Raises `ScheduleNotFound`, `InvalidRequest`, or `WrongState` while a tick of it is
        being submitted, or where it cannot be read.
        """
        editing = partial(edits.edit, schedule_id, wanted, self._now())
        return _there(await self._ledger.write(editing), schedule_id)

    async def delete(self, schedule_id: str) -> None:
        """Tasks that it has submitted stay. Raises `ScheduleNotFound`."""
        if not await self._ledger.write(partial(rows.remove, schedule_id)):
            raise ScheduleNotFound(schedule_id)

    async def lease_due(self) -> Sequence[RecurringSchedule]:
        """Schedules that are due, for this process alone during `LEASE`."""
        now = self._now()
        if not await self._ledger.read(partial(leases.any_due, now)):
            return []
        return await self._ledger.write(partial(leases.lease_due, now, now + LEASE, LEASED_AT_ONCE))

    async def renew(self, leased: Sequence[RecurringSchedule]) -> None:
        """Their ticks are still being submitted by this process; or it is not known whether one was,
        and another try is to wait a little.
        """
        await self._ledger.write(partial(leases.keep_until, self._now() + LEASE, leased))

    async def give_back(self, schedule: RecurringSchedule) -> None:
        """Nothing was submitted: anybody may lease it again."""
        await self._ledger.write(partial(leases.keep_until, None, [schedule]))

    async def set_aside(self, schedule: RecurringSchedule, why: str) -> None:
        """It cannot be run any more, by this coordinator at least: it is not due, and tells why."""
        await self._ledger.write(partial(leases.set_aside, schedule, why))

    async def take_up(self) -> list[str]:
        """Set going what was set aside and can be run here, from its next tick on; the ids."""
        return await self._ledger.write(partial(leases.take_up, self._now()))

    async def advance(
        self,
        schedule: RecurringSchedule,
        seen_to: datetime,
        ran: tuple[datetime, str] | None,
        error: str | None,
    ) -> None:
        """Its ticks up to ``seen_to`` were seen to: on to the next."""
        coming = schedule.next_after(seen_to)
        await self._ledger.write(partial(leases.advance, schedule, coming, ran, error))


def _there(found: RecurringSchedule | None, schedule_id: str) -> RecurringSchedule:
    if found is None:
        raise ScheduleNotFound(schedule_id)
    return found
