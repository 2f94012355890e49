"""Names the user of the broker that publishes over a connection, for the property `user_id` of messages.

The broker refuses a message whose `user_id` is not the name of who publishes it, so that whoever reads
the message may rely on it. It is set on everything that is published over `frame_writer`.
"""

from __future__ import annotations

import re

from yarl import URL

__all__ = ["PublishingUser", "user_of"]

LONGEST = 255
"""Bytes that AMQP takes there."""

DEFAULT_USER = "guest"
"""Whom the driver logs in as where the address names nobody."""

_REFUSED = re.compile(r"user_id property set to '.*' but authenticated user was '(.*)'", re.DOTALL)
"""RabbitMQ's words for a `user_id` that is not the publisher's."""


def user_of(url: str | URL) -> str | None:
    """The user that this address logs in as. None where it does not tell, since
    the name is in a certificate, and where no message could hold the name.
    """
    address = URL(url)
    if address.query.get("auth", "plain").lower() != "plain":
        return None
    name = address.user or DEFAULT_USER
    return name if len(name.encode()) <= LONGEST else None


class PublishingUser:
    """Holds the name for one connection, over all its links; ``name`` is None where nothing is to be set."""

    def __init__(self, url: str | URL) -> None:
        self.name = user_of(url)

    def learn(self, refusal: str) -> None:
        """Take the name out of the broker's words, where it has refused ours: a user who logs in with a
        signed token is called as that says, whatever the address has.
        """
        told = _REFUSED.search(refusal)
        if told is not None:
            self.name = told[1]
