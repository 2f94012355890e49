"""Runs an agent as a process, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextvars import ContextVar

from ._process.event_loop import run_to_end
from .agent_options import AgentOptions
from .handler_table import HandlerTable
from .running_agent import RunningAgent

__all__ = ["BEING_IMPORTED", "AgentProcess"]

logger = logging.getLogger(__name__)

BEING_IMPORTED: ContextVar[bool] = ContextVar("BEING_IMPORTED", default=False)
"""True while `python -m consumers` imports the module of an agent that it is going to run."""

INSTEAD = "`async with agent.running() as running: await running.told_to_stop()`"


class AgentProcess:
    """Runs one agent until a signal, or the command `drain`, tells it to stop. Only then does it end
    without an exception.
    """

    def __init__(self, options: AgentOptions, handlers: HandlerTable) -> None:
        self._options = options
        self._handlers = handlers
        self._main: asyncio.Task[None] | None = None
        self._life: RunningAgent | None = None
        self._told = 0
        """Signals that have told it to stop."""

    def run(self) -> None:
        """Raises `RuntimeError` where there can be no such process, and what ended the agent."""
        _check_place()
        try:
            run_to_end(self._until_told, on_signal=self._tell)
        except asyncio.CancelledError:
            if not self._told:
                raise RuntimeError(
                    "The agent was cancelled by code that runs in it, and not by a signal: a handler"
                    " may cancel only tasks that it has started itself"
                ) from None

    def _tell(self, _: signal.Signals) -> None:
        self._told += 1
        if self._life is None:
            if self._main is not None:
                self._main.cancel()
        elif self._told == 1:
            logger.info("finishing what runs; a second signal stops it now")
            self._life.drain()
        else:
            self._life.hurry()

    async def _until_told(self) -> None:
        self._main = asyncio.current_task()
        if self._told:
            return
        async with RunningAgent(self._options, self._handlers) as self._life:
            await self._life.told_to_stop()


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
