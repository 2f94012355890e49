"""The one place where the driver's exceptions become the project's."""

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
    QueueMissing,
    TopologyConflict,
)

__all__ = ["translated"]


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
    match exc:
        case driver.ChannelNotFoundEntity():
            return QueueMissing(f"{text} (while {doing})")
        case driver.ChannelPreconditionFailed():
            return TopologyConflict(
                f"The broker has this with other arguments ({text}): delete it there or use another"
                f" virtual host (while {doing})"
            )
        case driver.ChannelAccessRefused():
            return BrokerRefused(f"The broker refuses this user: {text} (while {doing})")
        case driver.AuthenticationError() | driver.ProbableAuthenticationError():
            return BrokerRefused(
                "The broker refuses this user or password: check the user and password in the AMQP URL"
            )
        case driver.ConnectionNotAllowed():
            return BrokerRefused(f"The broker refuses the connection ({text}): check the AMQP URL")
        case driver.DeliveryError():
            return PublishRefused(f"The broker refused the message: {text}")
        case driver.AMQPConnectionError() | OSError() | EOFError():
            return ConnectionLost(f"{text or type(exc).__name__} (while {doing})")
        case driver.ChannelInvalidStateError() | driver.AMQPError():
            return ChannelLost(f"{text} (while {doing})")
        case pamqp.exceptions.PAMQPException():
            return ConnectionLost(f"{text} (while {doing})")
        case RuntimeError() if "closed" in text.lower():
            return ConnectionLost(f"{text} (while {doing})")
        case _ if type(exc) is Exception:
            return ChannelLost(f"The channel closed while {doing}")
        case _:
            return exc


def _text(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return " ".join(str(arg) for arg in exc.args if arg is not None) or str(exc)
