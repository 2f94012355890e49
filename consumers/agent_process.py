"""Runs one agent or several as a process, until they are told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextvars import ContextVar
from dataclasses import dataclass

from ._process.event_loop import run_to_end
from .agent_options import AgentOptions
from .handler_table import HandlerTable
from .running_agent import RunningAgent

__all__ = ["BEING_IMPORTED", "AgentProcess"]

logger = logging.getLogger(__name__)

BEING_IMPORTED: ContextVar[bool] = ContextVar("BEING_IMPORTED", default=False)
"""True while `python -m consumers` imports the module of an agent that it is going to run."""

INSTEAD = "`async with agent.running() as running: await running.told_to_stop()`"


CANCELLED = (
    "The agent was cancelled by code that runs in it, and not by a signal: a handler may cancel only"
    " tasks that it has started itself"
)


@dataclass(slots=True)
class _Life:
    """Is one agent of the process."""

    options: AgentOptions
    handlers: HandlerTable
    task: asyncio.Task[None] | None = None
    running: RunningAgent | None = None
    """Once it has tried to connect."""


class AgentProcess:
    """Runs agents until a signal tells all of them to stop, or each was told so by the command `drain`. Only
    then does it end without an exception: one that fails ends the others in a hurry.
    """

    def __init__(self, *agents: tuple[AgentOptions, HandlerTable]) -> None:
        self._lives = [_Life(options, handlers) for options, handlers in agents]
        self._told = 0
        """Signals that have told it to stop."""

    def run(self) -> None:
        """Raises `RuntimeError` where there can be no such process, and what ended an agent."""
        _check_place()
        try:
            run_to_end(self._until_told, on_signal=self._tell)
        except asyncio.CancelledError:
            if not self._told:
                raise RuntimeError(CANCELLED) from None

    def _tell(self, _: signal.Signals) -> None:
        self._told += 1
        if self._told == 1 and any(life.running is not None for life in self._lives):
            logger.info("finishing what runs; a second signal stops it now")
        for life in self._lives:
            if life.running is None:
                if life.task is not None:
                    life.task.cancel()
            elif self._told == 1:
                life.running.drain()
            else:
                life.running.hurry()

    async def _until_told(self) -> None:
        if len(self._lives) == 1:
            await self._live(self._lives[0])
            return
        try:
            async with asyncio.TaskGroup() as group:
                for life in self._lives:
                    group.create_task(self._beside_others(life))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the others were ended by it

    async def _beside_others(self, life: _Life) -> None:
        """The end of one by cancellation would go unseen."""
        try:
            await self._live(life)
        except asyncio.CancelledError:
            if self._told:
                raise
            raise RuntimeError(CANCELLED) from None

    async def _live(self, life: _Life) -> None:
        if self._told:
            return
        life.task = asyncio.current_task()
        async with RunningAgent(life.options, life.handlers) as life.running:
            await life.running.told_to_stop()


def _check_place() -> None:
    """Raises `RuntimeError` where an agent cannot have an event loop and signals of its own."""
    if BEING_IMPORTED.get():
        raise RuntimeError(
            "agent.run() was called while `python -m consumers` imports this file, which then runs"
            ' the agent itself: write it below `if __name__ == "__main__":`'
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            f"agent.run() has an event loop of its own, and one runs here already: write {INSTEAD}"
        )
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "agent.run() listens to signals, which only the main thread can: call it there, or in"
            f" this thread have asyncio.run() run a coroutine with {INSTEAD}"
        )
