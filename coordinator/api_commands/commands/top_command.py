"""Runs `coordinator top`: looks at the service again and again, and draws what it finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

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
from .pressed_keys import QuitPressed, pressed_keys
from .top_screen import Look, as_document, drawn

__all__ = ["top"]

Answer = TypeVar("Answer")

MOST = 200
"""Agents, and running tasks, that are asked for in one look."""


PASSING = (NotSent, AnswerLost, Unavailable, ServerError, TooManyRequests)
"""What may have gone by the next look."""


def top(call: Invocation) -> int:
    """Where the output is no terminal, or one that cannot be drawn on, and with `--once` or `--json`, one
    look is printed.
    """
    if call.printer.json:
        call.printer.document(as_document(_look(call)))
        return DONE
    console = call.printer.console
    if call.options.once or not console.is_terminal or console.is_dumb_terminal:
        console.print(drawn(_look(call), console))
        return DONE
    try:
        with pressed_keys() as keys:
            look = _look(call, check=keys.check)
            # One look is worth nothing once the next is due: what went wrong is shown, and the next may
            # go well.
            call.client.now = Circumstances(retries=Retries(attempts=1, answer_seconds=10.0))
            with Live(console=console, screen=True, auto_refresh=False) as live:
                trouble: str | None = None
                while True:
                    live.update(drawn(look, console, trouble), refresh=True)
                    keys.check(call.options.interval)
                    try:
                        look, trouble = _look(call, look, keys.check), None
                    except PASSING as error:
                        trouble = sentence_of(error, call.url)
    except QuitPressed:
        return DONE


def _look(
    call: Invocation, before: Look | None = None, check: Callable[[], None] = lambda: None
) -> Look:
    """``check`` is called after each request, and may raise, which ends the look."""

    def answered(answer: Answer) -> Answer:
        check()
        return answer

    client = call.client
    return Look(
        url=call.url,
        health=answered(client.health()),
        stats=answered(client.queue_stats()),
        agents=answered(list(client.agents(limit=MOST))),
        running=answered(list(client.tasks(state=["running", "input_required"], limit=MOST))),
        dead=answered(client.dead(limit=1).total),
        at=datetime.now(UTC),
        before=before,
    )
