"""Reads the broker's text of a refusal into an error: no permission (403), a precondition that does
not hold (406). Pure.
"""

from __future__ import annotations

import re

from coordinator.errors import (
    BrokerRefused,
    ChannelLost,
    CoordinatorError,
    MessageTooLarge,
    QueueRefused,
    TopologyConflict,
)

__all__ = ["PUBLISHING", "access_refused", "precondition_failed"]

_TOO_LARGE = re.compile(r"message size (\d+) (?:is )?larger than (?:configured )?max size (\d+)")

_OF_THE_CHANNEL = ("unknown delivery tag", "timed out")
"""Preconditions that hold again on the next channel."""

_EXCHANGE = re.compile(r"access to (topic '.*' in )?exchange '([^']*)'", re.DOTALL)
"""What follows, the virtual host and the user, is cut off where the names are long."""

_QUEUE = re.compile(r"access to queue '([^']*)'")

PUBLISHING = "publishing"
"""What a confirm that did not come is told of."""

DECLARING = "declaring queue"
READING = ("taking from queue", "consuming from queue", "looking at")
"""How what was being done begins where it needs the permission of that name."""


def precondition_failed(text: str, where: str) -> CoordinatorError:
    """``text`` is the broker's, ``where`` the same with what was being done."""
    too_large = _TOO_LARGE.search(text)
    if too_large is not None:
        return MessageTooLarge(int(too_large[1]), int(too_large[2]))
    if "inequivalent arg" in text:
        return TopologyConflict(
            f"Delete this on the broker, which has it with other arguments: {where}"
        )
    if any(words in text for words in _OF_THE_CHANNEL):
        return ChannelLost(where)
    return BrokerRefused(f"The broker refuses this: {where}")


def access_refused(text: str, where: str, *, doing: str) -> BrokerRefused:
    """Names the permission that is missing: `QueueRefused` where it is that to read a queue.

    Up to RabbitMQ 3.12 the broker does not say which it is, and from 4.3 on it asks for that to configure
    where any of the three would do: what was being done tells.
    """
    exchange, queue = _EXCHANGE.search(text), _QUEUE.search(text)
    if exchange is not None and doing == PUBLISHING:
        topic, name = exchange.groups()
        if topic:
            what, how = "topic permission", "set_topic_permissions"
        else:
            what, how = "permission", "set_permissions"
        return BrokerRefused(_lacks(what, f"write to the exchange {name}", how))
    if queue is not None and doing.startswith(READING):
        return QueueRefused(_lacks("permission", f"read the queue {queue[1]}", "set_permissions"))
    if queue is not None and doing.startswith(DECLARING):
        return BrokerRefused(
            _lacks("permission", f"configure the queue {queue[1]}", "set_permissions")
        )
    return BrokerRefused(f"The broker refuses this user: {where}")


def _lacks(what: str, action: str, how: str) -> str:
    return (
        f"The broker refuses this user, who lacks the {what} to {action}: grant it with"
        f" `rabbitmqctl {how}`"
    )
