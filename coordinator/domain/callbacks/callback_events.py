"""Says which events of a task are told to the URL that its producer named. Pure.

A task's events are many, some come twice, and some change nothing. What is told goes by what an event made of
the task: so each end is told once, and a question that is asked again is told once.
"""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.domain.task import ENDED, State, Task
from coordinator.protocol.messages.events import Event, TaskAsked, TaskStarted
from coordinator.protocol.messages.task_message import Callback

__all__ = ["DEFAULT_EVENTS", "ENDS", "EVENT_WORDS", "CallbackOrder", "orders_of"]

ENDS = "ended"
"""The word for each of the states in which a task has ended."""

STARTED, RETRIED, ASKED = "started", "retried", State.INPUT_REQUIRED.value

EVENT_WORDS = (ENDS, *sorted(state.value for state in ENDED), STARTED, RETRIED, ASKED)
"""What a callback may ask for."""

DEFAULT_EVENTS = (ENDS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackOrder:
    """Orders one event of a task to be told."""

    task_id: str
    event_id: str
    author: str | None
    """Of the event: an agent's id, empty for a coordinator or the broker; None where it is not known."""
    event: str
    """The word for it: `started`, `retried`, `input_required`, or the state in which the task has ended."""
    callback: Callback


def orders_of(was: Task | None, event: Event, now: Task) -> tuple[CallbackOrder, ...]:
    """What is to be told of ``event``, which made ``now`` of a task that was ``was``: most often nothing."""
    if now.callback is None:
        return ()
    callback = Callback.model_validate(now.callback)
    wanted = set(callback.events)
    word = _word(was, event, now)
    if word is None or not ({word} | ({ENDS} if now.ended else set())) & wanted:
        return ()
    author: str | None = event.data.author or ""
    event_id = event.id
    if _ended_before(was, now) and now.outcome is not None:
        event_id, author = now.outcome, None
    return (
        CallbackOrder(
            task_id=now.task_id, event_id=event_id, author=author, event=word, callback=callback
        ),
    )


def _word(was: Task | None, event: Event, now: Task) -> str | None:
    if was is not None and was.generation != now.generation:
        was = None
    if now.ended:
        new = was is None or not was.ended or _ended_before(was, now)
        return now.state.value if new else None
    if isinstance(event.data, TaskStarted):
        return STARTED if now.started > (0 if was is None else was.started) else None
    if isinstance(event.data, TaskAsked):
        before = None if was is None else was.question
        return ASKED if now.state is State.INPUT_REQUIRED and now.question != before else None
    if now.failed > (0 if was is None else was.failed) and now.state is State.WAITING:
        return RETRIED
    return None


def _ended_before(was: Task | None, now: Task) -> bool:
    """Whether its end was told before its own message was folded: nobody knew then whom to tell."""
    return was is not None and was.ended and now.ended and was.content == 0 < now.content
