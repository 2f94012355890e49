"""What handlers do wrong, and how the attempt is to end that does it."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from consumers import RetryLater
from coordinator.protocol.json_values.json_limits import MAX_DEPTH

__all__ = ["MISBEHAVIOURS", "PLAINLY", "Misbehaviour", "end_a_fork"]


class Unprintable(Exception):
    """No text can be made of it."""

    def __str__(self) -> str:
        raise RuntimeError("this error cannot be shown")

    __repr__ = __str__


class SaysNothing(Exception):
    """Where text is expected it gives None."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]  # noqa: PLE0307 - that is what it does wrong

    __repr__ = __str__


async def _raises() -> Any:
    raise RuntimeError("asked to fail")


async def _raises_unprintable() -> Any:
    raise Unprintable


async def _raises_what_says_nothing() -> Any:
    raise SaysNothing


async def _asks_for_a_pause_as_text() -> Any:
    raise RetryLater("429", after="0.3")


async def _asks_for_a_pause_that_is_none() -> Any:
    raise RetryLater("429", after="soon")


async def _tool() -> None:
    """As the `main` of a command-line tool does."""
    argparse.ArgumentParser(prog="tool").parse_args(["--no-such-option"])


async def _exits_in_a_sub_task() -> Any:
    await asyncio.wait_for(_tool(), timeout=60)


async def _exits_in_a_group() -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(_tool())


async def _returns_a_generator() -> Any:
    return (number for number in range(3))


async def _returns_a_set() -> Any:
    return {"found": {1, 2, 3}}


async def _returns_nan() -> Any:
    return {"mean": float("nan")}


async def _returns_what_is_too_deep() -> Any:
    result: Any = "the bottom"
    for _ in range(MAX_DEPTH + 10):
        result = [result]
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """Something that a handler does in place of its work."""

    act: Callable[[], Awaitable[Any]]
    """Returns what the handler returns."""
    error_type: str
    """Of the attempt."""
    retried: bool = True
    """Whether another attempt follows, as long as there may be one."""


PLAINLY = "raises"

MISBEHAVIOURS = {
    PLAINLY: Misbehaviour(act=_raises, error_type="RuntimeError"),
    "unprintable": Misbehaviour(act=_raises_unprintable, error_type="Unprintable"),
    "says-nothing": Misbehaviour(act=_raises_what_says_nothing, error_type="SaysNothing"),
    "pause-as-text": Misbehaviour(act=_asks_for_a_pause_as_text, error_type="RetryLater"),
    "pause-of-none": Misbehaviour(act=_asks_for_a_pause_that_is_none, error_type="RetryLater"),
    "exits": Misbehaviour(act=_exits_in_a_sub_task, error_type="SystemExit"),
    "exits-in-group": Misbehaviour(act=_exits_in_a_group, error_type="SystemExit"),
    "generator": Misbehaviour(act=_returns_a_generator, error_type="ResultNotJson", retried=False),
    "set": Misbehaviour(act=_returns_a_set, error_type="ResultNotJson", retried=False),
    "nan": Misbehaviour(act=_returns_nan, error_type="ResultNotJson", retried=False),
    "too-deep": Misbehaviour(
        act=_returns_what_is_too_deep, error_type="ResultNotJson", retried=False
    ),
}

_one_fork = threading.Lock()
"""`multiprocessing` looks after all its processes whenever it starts one, in whatever thread."""


def end_a_fork() -> None:
    """Fork this process, and end the fork with SIGTERM, as a `multiprocessing.Pool` ends its workers.

    Raises `RuntimeError` where something else has ended it.
    """
    with _one_fork:
        fork = multiprocessing.get_context("fork").Process(
            target=_outlast, args=(os.getpid(),), daemon=True
        )
        fork.start()
        fork.terminate()
        fork.join()
        if fork.exitcode != -signal.SIGTERM:
            raise RuntimeError(f"the fork ended with {fork.exitcode}")


def _outlast(parent: int) -> None:
    """Go on for as long as the parent lives, whatever hangs meanwhile."""
    while os.getppid() == parent:
        time.sleep(0.02)
