"""Translates the AMQP driver's exceptions into the project's, here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import aiormq.exceptions as driver
import pamqp.exceptions

from coordinator.errors import (
    BrokerRefused,
    ChannelLost,
    ConnectionLost,
    CoordinatorError,
    PublishRefused,
    QueueLocked,
    QueueMissing,
)

from .refusal_texts import PUBLISHING, access_refused, precondition_failed

__all__ = ["PUBLISHING", "translated"]


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise whatever the driver raises inside as an error of `coordinator.errors`.

    ``doing`` completes the sentence "… while <doing>".
    """
    try:
        yield
    except CoordinatorError:
        raise
    except TimeoutError as exc:
        raise ChannelLost(f"The broker did not answer in time while {doing}") from exc
    except asyncio.CancelledError as exc:
        # The driver cancels what waits on a channel that closes; only a cancellation that was
        # asked of this task is one.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ChannelLost(f"The channel closed while {doing}") from exc
    except Exception as exc:
        raise _translate(exc, doing) from exc


def _translate(exc: Exception, doing: str) -> Exception:
    text = _text(exc)
    where = f"{text} (while {doing})"
    if isinstance(exc, driver.ChannelPreconditionFailed):
        return precondition_failed(text, where)
    if isinstance(exc, driver.ChannelAccessRefused):
        return access_refused(text, where, doing=doing)
    for kinds, error, message in (
        (driver.ChannelNotFoundEntity, QueueMissing, where),
        (driver.ChannelLockedResource, QueueLocked, where),
        (
            (driver.AuthenticationError, driver.ProbableAuthenticationError),
            BrokerRefused,
            "The broker refuses this user or password: check them in the AMQP URL",
        ),
        (driver.ConnectionNotAllowed, BrokerRefused, f"The broker refuses the connection: {where}"),
        (driver.DeliveryError, PublishRefused, f"The broker refused the message: {text}"),
        # The last is the driver's word for a broker that hung up before an answer.
        (
            (driver.AMQPConnectionError, OSError, EOFError, StopAsyncIteration),
            ConnectionLost,
            where,
        ),
        ((driver.ChannelInvalidStateError, driver.AMQPError), ChannelLost, where),
        (pamqp.exceptions.PAMQPException, ConnectionLost, where),
    ):
        if isinstance(exc, kinds):
            return error(message)
    if type(exc) is Exception or (isinstance(exc, RuntimeError) and "closed" in text.lower()):
        return ChannelLost(f"The channel closed while {doing}")  # how the driver ends what waits
    return exc


def _text(exc: BaseException) -> str:
    """For people: what the system or the broker said, where the driver tells of a Python exception."""
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, StopAsyncIteration | EOFError):
        return "The broker hung up"
    if isinstance(exc, driver.AMQPConnectionError) and isinstance(
        exc.__cause__, OSError | EOFError
    ):
        return _text(exc.__cause__)
    return " ".join(str(arg) for arg in exc.args if arg is not None) or type(exc).__name__
