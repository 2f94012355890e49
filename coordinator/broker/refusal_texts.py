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
    TopologyConflict,
)

__all__ = ["access_refused", "precondition_failed"]

_TOO_LARGE = re.compile(r"message size (\d+) (?:is )?larger than (?:configured )?max size (\d+)")

_OF_THE_CHANNEL = ("unknown delivery tag", "timed out")
"""Preconditions that hold again on the next channel."""

_EXCHANGE = re.compile(r"access to (topic '.*' in )?exchange '([^']*)'", re.DOTALL)
"""What follows, the virtual host and the user, is cut off where the names are long."""


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


def access_refused(text: str, where: str, *, publishing: bool) -> BrokerRefused:
    """Names the permission that is missing where a message was refused."""
    found = _EXCHANGE.search(text)
    if not publishing or found is None:
        return BrokerRefused(f"The broker refuses this user: {where}")
    topic, exchange = found.groups()
    if topic:
        what, how = "topic permission", "set_topic_permissions"
    else:
        what, how = "permission", "set_permissions"
    return BrokerRefused(
        f"The broker refuses this user, who lacks the {what} to write to the exchange {exchange}:"
        f" grant it with `rabbitmqctl {how}`"
    )
