"""Listens to SIGTERM and SIGINT in an agent's process, which a fork of it does not inherit.

An event loop hears of signals through a socket to which the interpreter writes the number of each one
that arrives. A fork has the same socket: without what is done here, the SIGTERM with which a
`multiprocessing.Pool` ends a worker would be read by the agent, as its own.

The handlers of signals are our own. uvloop 0.23 looks into its socket only while it runs, and one of
`loop.add_signal_handler` that was called before, or between two runs, waits there for the next signal.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Self

__all__ = ["StopSignals", "may_be_ctrl_c"]

STOPPING = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Calls ``on_signal`` in ``loop`` for each SIGTERM and SIGINT, from `with` on, in the main thread.

    In a fork, and after the `with`, both do again what they did before.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_signal: Callable[[signal.Signals], None]
    ) -> None:
        self._loop = loop
        self._on_signal = on_signal
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        _register_for_forks()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until ours is there
        try:
            for number in STOPPING:
                self._before[number] = signal.getsignal(number)
                self._loop.add_signal_handler(number, _wake)
                signal.signal(number, self._hear)
                signal.siginterrupt(number, False)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _forks.heard = self
        return self

    def __exit__(self, *_: object) -> None:
        _forks.heard = None
        for number in STOPPING:
            self._loop.remove_signal_handler(number)
            signal.signal(number, _usable(self._before[number]))

    def _hear(self, number: int, _: object) -> None:
        self._loop.call_soon_threadsafe(self._on_signal, signal.Signals(number))

    def forget(self) -> None:
        """In a fork: signals are its own. What the handler of a task has set up itself stays."""
        signal.set_wakeup_fd(-1)
        for number in STOPPING:
            if signal.getsignal(number) == self._hear:
                signal.signal(number, _usable(self._before[number]))


def _wake() -> None:
    """What the loop itself does for a signal: it has returned from the system, so that Python calls ours."""


def may_be_ctrl_c(exc: BaseException) -> bool:
    """Whether ``exc`` may be a person's Ctrl-C. It is none where SIGINT has a handler of its own: then
    somebody's code has raised it.
    """
    return isinstance(exc, KeyboardInterrupt) and _sigint_interrupts()


class _Forks:
    """Holds both signals back while a fork is made: one that comes before the child has forgotten the
    agent's handlers is the child's all the same.
    """

    def __init__(self) -> None:
        self.heard: StopSignals | None = None
        """Who hears signals in this process."""
        self._this = threading.local()  # a fork may be made in any thread

    def before(self) -> None:
        self._this.heard = self.heard
        if self.heard is not None:
            self._this.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)

    def in_parent(self) -> None:
        if self._this.heard is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._this.mask)

    def in_child(self) -> None:
        if self._this.heard is not None:
            self.heard = None
            self._this.heard.forget()
            if signal.SIGINT in signal.sigpending() and _sigint_interrupts():
                # Python would raise it here, where it is lost: it ends the child as it would there.
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._this.mask)


_forks = _Forks()


@functools.cache
def _register_for_forks() -> None:
    """Once: the system has no way to take it back, so it does nothing while nobody hears signals."""
    os.register_at_fork(
        before=_forks.before,
        after_in_parent=_forks.in_parent,
        after_in_child=_forks.in_child,
    )


def _sigint_interrupts() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _usable(handler: Any) -> Any:
    """None stands for one that Python has not set, and cannot set again."""
    return signal.SIG_DFL if handler is None else handler
