"""Runs `coordinator rebuild`: folds all kept events again, and shows how far it has come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import PAGE, kept_events, rebuild
from coordinator.settings import Settings

__all__ = ["run"]

LINE_EVERY = 5.0
"""Seconds between two lines where the output is no terminal."""


def run(
    settings: Settings,
    console: Console | None = None,
    timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
    *,
    line_every: float = LINE_EVERY,
) -> None:
    """Rebuild the ledger of the settings. Where ``console`` is no terminal, a line tells every ``line_every``
    seconds how far it is. Raises `OperatorError` where there is no ledger, or it cannot be
    used.
    """
    place = settings.ledger_place
    if isinstance(place, Path) and not _is_there(place):
        raise OperatorError(
            f"There is no ledger {place}: name its folder with --data-dir, or the database with"
            " COORDINATOR_DATABASE_URL"
        )
    fold = partial(rebuild, metadata_keys=settings.metadata_keys)
    asyncio.run(_rebuild(place, console or Console(), timeouts, line_every, fold=fold))


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as exc:
        raise OperatorError(
            f"The ledger {file} cannot be read: {exc.strerror}. Name another folder with --data-dir"
        ) from exc


async def _rebuild(
    place: str | Path,
    console: Console,
    timeouts: DatabaseTimeouts,
    line_every: float = LINE_EVERY,
    page: int = PAGE,
    *,
    fold: Callable[..., int] = rebuild,
) -> None:
    async with Ledger(place, timeouts=timeouts) as ledger:
        shown = _Shown(console, await ledger.read(kept_events), line_every)
        try:
            began = time.monotonic()
            with shown.showing():
                count = await ledger.write(partial(fold, told=shown.add, page=page))
        except asyncio.CancelledError:
            shown.interrupted = True  # rolled back at the end of the page
            raise
        except LedgerUnavailable as exc:
            raise OperatorError(
                f"Nothing was changed: {exc}. If a coordinator is writing, stop it or try again"
            ) from exc
    seconds = time.monotonic() - began
    rate = count / seconds if seconds > 0 else 0
    console.print(
        f"Folded {count:,} events in {seconds:.1f} s ({rate:,.0f} a second). The ledger is rebuilt.",
        soft_wrap=True,
        highlight=False,
    )


class _Shown:
    """A bar with the rate on a terminal, a line now and then elsewhere. Told from the thread that
    folds.
    """

    def __init__(self, console: Console, total: int, line_every: float) -> None:
        self._console = console
        self._line_every = line_every
        self._total = total
        self._done = 0
        self.interrupted = False
        self._began = self._told = time.monotonic()
        self._advance: Callable[[str], None] = self._line
        self._bar: Progress | None = None
        if console.is_terminal:
            bar = Progress(
                TextColumn("folding"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]} events/s"),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            task = bar.add_task("", total=total, rate="")
            self._bar = bar
            self._advance = lambda rate: bar.update(task, completed=self._done, rate=rate)

    def showing(self) -> AbstractContextManager[object]:
        return nullcontext() if self._bar is None else self._bar

    def add(self, count: int) -> None:
        if self.interrupted:
            raise KeyboardInterrupt  # rolls back
        self._done += count
        seconds = time.monotonic() - self._began
        self._advance(f"{self._done / seconds:,.0f}" if seconds > 0 else "")

    def _line(self, rate: str) -> None:
        now = time.monotonic()
        if now - self._told >= self._line_every:
            self._told = now
            done = f"{self._done:,} of {self._total:,} events folded, {rate} a second"
            self._console.print(done, soft_wrap=True, highlight=False)
