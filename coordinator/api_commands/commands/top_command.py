"""Runs `coordinator top`: looks at the service again and again, and draws what it finds."""

from __future__ import annotations

import contextlib
import select
import sys
import termios
import tty
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.live import Live

from coordinator.api_commands.error_sentences import sentence_of
from coordinator.api_commands.exit_statuses import DONE
from coordinator.client import (
    AnswerLost,
    NotSent,
    Retries,
    ServerError,
    TooManyRequests,
    Unavailable,
)
from coordinator.client.exchange.programs import Circumstances

from .invocation import Invocation
from .top_screen import Look, as_document, drawn

__all__ = ["top"]

MOST = 200
"""Agents, and running tasks, that are asked for in one look."""


def top(call: Invocation) -> int:
    """Where the output is no terminal, and with `--once` or `--json`, one look is printed."""
    look = _look(call, None)
    if call.printer.json:
        call.printer.document(as_document(look))
        return DONE
    console = call.printer.console
    if call.options.once or not console.is_terminal or console.is_dumb_terminal:
        console.print(drawn(look, console))
        return DONE
    # One look is worth nothing once the next is due; what went wrong is shown, and the next may go well.
    call.client.now = Circumstances(retries=Retries(attempts=1, answer_seconds=10.0))
    with _keys() as quits, Live(console=console, screen=True, auto_refresh=False) as live:
        trouble: str | None = None
        while True:
            live.update(drawn(look, console, trouble), refresh=True)
            if quits(call.options.interval):
                return DONE
            try:
                look, trouble = _look(call, look), None
            except (NotSent, AnswerLost, Unavailable, ServerError, TooManyRequests) as error:
                trouble = sentence_of(error, call.url)


def _look(call: Invocation, before: Look | None) -> Look:
    client = call.client
    return Look(
        url=call.url,
        health=client.health(),
        stats=client.queue_stats(),
        agents=list(client.agents(limit=MOST)),
        running=list(client.tasks(state=["running", "input_required"], limit=MOST)),
        dead=client.dead(limit=1).total,
        at=datetime.now(UTC),
        before=before,
    )


class _Quits:
    """Waits for a key that ends it."""

    def __call__(self, seconds: float) -> bool:
        """Whether q was pressed within so many seconds."""
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return bool(ready) and sys.stdin.read(1) in {"q", "Q", ""}


@contextlib.contextmanager
def _keys() -> Iterator[_Quits | _Sleeps]:
    """Keys come one by one while this block lasts, where there is a keyboard."""
    if not sys.stdin.isatty():
        yield _Sleeps()
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield _Quits()
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


class _Sleeps:
    """Stands in for a keyboard that is not there."""

    def __call__(self, seconds: float) -> bool:
        select.select([], [], [], seconds)
        return False
