"""What a handler raised, as it is told: whatever the exception does, there is an outcome."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, cast

import pytest

from consumers import Discard, RetryLater, SubmissionRefused
from consumers._values.handler_limits import LONGEST
from consumers.outcome import Failed, event_of, failed_with
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, TaskFailed
from coordinator.protocol.messages.task_message import TaskMessage
from tests.support.decoding import decode

LONGEST_PAUSE = timedelta(seconds=LONGEST)


def told(exc: BaseException) -> Failed:
    """As the coordinator reads it, which is as it was made."""
    outcome = failed_with(exc)
    message = TaskMessage.model_validate(
        {
            "task_id": "t",
            "task_data": {},
            "priority": "low",
            "submitted_at": datetime.now(UTC),
            "task_token": "x",
        }
    )
    event = Event(data=event_of(outcome, message, agent_id="a", duration=timedelta()))
    (read,) = decode(encode(event), routing_key(event.data))
    assert read == event
    assert isinstance(read.data, TaskFailed)
    assert read.data.error == outcome.error
    return outcome


def raised(exc: BaseException) -> BaseException:
    """With a traceback."""
    try:
        raise exc
    except BaseException as caught:  # noqa: BLE001 - what it was given
        return caught


# --- exceptions that cannot be shown ----------------------------------------------------------


class Detached:
    """As a row whose session is closed."""

    def __str__(self) -> str:
        raise RuntimeError("not bound to a session")

    __repr__ = __str__


class Silent(Exception):
    def __str__(self) -> str:
        return cast("str", None)


class Quits(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class OddText(str):
    __slots__ = ()

    def __getitem__(self, _: object) -> Any:
        raise LookupError

    def encode(self, *_: object) -> Any:
        raise LookupError


class SaysOdd(Exception):
    def __str__(self) -> str:
        return OddText("odd")


def nameless() -> Exception:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise RuntimeError("no name")

    class Odd(Exception, metaclass=Nameless):
        pass

    return Odd()


def masked() -> Exception:
    class Mask(Exception):
        @property  # type: ignore[misc]
        def __class__(self) -> Any:
            raise RuntimeError("no class")

    return Mask()


class Causeless(Exception):
    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no cause")


class Untraceable(Exception):
    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no traceback")


def noted() -> Exception:
    exc = ValueError("noted")
    exc.__notes__ = Detached()  # type: ignore[assignment]
    return exc


def syntax() -> Exception:
    exc = SyntaxError("odd")
    exc.lineno, exc.text, exc.offset = Detached(), Detached(), Detached()  # type: ignore[assignment]
    return exc


@pytest.mark.parametrize(
    ("make", "name", "says"),
    [
        (lambda: ValueError(Detached()), "ValueError", "cannot be shown: RuntimeError"),
        (lambda: ValueError(Detached(), 1), "ValueError", "cannot be shown: RuntimeError"),
        (Silent, "Silent", "cannot be shown: TypeError"),
        (Quits, "Quits", "cannot be shown: SystemExit"),
        (SaysOdd, "SaysOdd", "odd"),
        (nameless, "Odd", ""),
        (masked, "Mask", ""),
        (lambda: Causeless("c"), "Causeless", "c"),
        (lambda: Untraceable("u"), "Untraceable", "u"),
        (noted, "ValueError", "noted"),
        (syntax, "SyntaxError", ""),
        (lambda: ExceptionGroup("g", [ValueError(Detached())]), "ExceptionGroup", "g"),
        (lambda: KeyError("\ud800"), "KeyError", "ud800"),
        (lambda: ValueError("\ud800"), "ValueError", "?"),
        (type("N" + "n" * 999, (Exception,), {}), "N" + "n" * 127, ""),
        (lambda: OSError(Detached(), Detached()), "OSError", "cannot be shown: RuntimeError"),
        (lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), "UnicodeDecodeError", "odd"),
        (RecursionError, "RecursionError", ""),
        (MemoryError, "MemoryError", ""),
        (lambda: KeyboardInterrupt(Detached()), "KeyboardInterrupt", "cannot be shown"),
        (lambda: RetryLater(Detached()), "RetryLater", "cannot be shown"),  # type: ignore[arg-type]
        (lambda: Discard(Detached()), "Discard", "cannot be shown"),  # type: ignore[arg-type]
        (lambda: RetryLater(None), "RetryLater", "None"),  # type: ignore[arg-type]
        (lambda: Discard(None), "Discard", "None"),  # type: ignore[arg-type]
    ],
)
def test_an_exception_that_cannot_be_shown_is_told_by_what_can_be_had(
    make: Callable[[], BaseException], name: str, says: str
) -> None:
    error = told(raised(make())).error
    assert error.type == name
    assert says in error.message


def test_where_a_cause_cannot_be_shown_the_lines_are_told() -> None:
    assert "in raised" in (told(raised(Causeless())).error.traceback or "")


def test_a_chain_without_end_is_told() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__context__, second.__context__ = second, first
    assert told(raised(first)).error.message == "1"


# --- how long to wait -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "pause"),
    [
        (None, None),
        (30, timedelta(seconds=30)),
        (0.5, timedelta(seconds=0.5)),
        ("30", timedelta(seconds=30)),
        (" 1.5 ", timedelta(seconds=1.5)),
        (Decimal("2.5"), timedelta(seconds=2.5)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (-5, timedelta()),
        ("-5", timedelta()),
        (timedelta(days=-1), timedelta()),
        (10**400, LONGEST_PAUSE),
        (-(10**400), timedelta()),
        (1e300, LONGEST_PAUSE),
        (timedelta.max, LONGEST_PAUSE),
        (timedelta.min, timedelta()),
        ("Thu, 01 Jan 1970 00:00:00 GMT", timedelta()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
        ("Fri, 31 Dec 9999 23:59:59 -0000", LONGEST_PAUSE),
    ],
)
def test_a_pause_is_taken_in_every_form_that_is_a_time(after: Any, pause: timedelta | None) -> None:
    outcome = told(RetryLater("429", after=after))
    assert (outcome.error.message, outcome.retryable, outcome.retry_after) == ("429", True, pause)


def test_the_date_of_a_retry_after_header_is_a_pause_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    pause = told(RetryLater("429", after=date)).retry_after
    assert pause is not None
    assert timedelta(minutes=4) < pause <= timedelta(minutes=5)


class Floats:
    def __float__(self) -> float:
        raise LookupError("no float")


@pytest.mark.parametrize(
    "after", [math.nan, math.inf, -math.inf, "nan", "soon", "", object(), [], Floats(), Detached()]
)
def test_what_is_no_time_is_said_and_the_reason_is_kept(after: Any) -> None:
    outcome = told(RetryLater("429", after=after))
    assert (outcome.retryable, outcome.retry_after) == (True, None)
    assert outcome.error.message.startswith("429 (how long to wait after it cannot be read: ")


class Bare(RetryLater):
    def __init__(self) -> None:
        pass


class Late(RetryLater):
    def __init__(self, after: Any) -> None:
        self.after = after


class Broken(RetryLater):
    @property
    def after(self) -> Any:
        raise SystemExit(1)

    @after.setter
    def after(self, _: object) -> None:
        raise SystemExit(1)

    def __init__(self) -> None:
        pass


class Quiet(Discard):
    def __init__(self) -> None:
        pass


def test_subclasses_that_leave_out_their_base_are_taken() -> None:
    assert told(Bare()).retry_after is None
    assert told(Late("7")).retry_after == timedelta(seconds=7)
    assert "cannot be read" in told(Late("x")).error.message
    assert "cannot be read" in told(Broken()).error.message
    assert told(Broken()).retryable
    assert not told(Quiet()).retryable


# --- refused follow-up tasks --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "retryable", "after"),
    [
        (None, False, None),
        (5.0, True, timedelta(seconds=5)),
        (math.inf, False, None),
    ],
)
def test_a_refused_follow_up_task_is_tried_again_where_the_refusal_is_for_now(
    later: float | None, retryable: bool, after: timedelta | None
) -> None:
    outcome = told(raised(SubmissionRefused("a quota is full", retry_after=later)))
    assert (outcome.retryable, outcome.retry_after) == (retryable, after)
    assert outcome.error.message.startswith("a quota is full")
    assert outcome.error.traceback
