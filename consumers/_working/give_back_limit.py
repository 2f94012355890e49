"""Limits how often a message may be returned to its queue before an agent keeps it."""

from __future__ import annotations

__all__ = ["GIVE_BACKS", "may_be_given_back"]

GIVE_BACKS = 2
"""How often a message may have been in other hands and still be given back; then it is kept."""


def may_be_given_back(delivery_count: int) -> bool:
    """Whether a message that was in other hands ``delivery_count`` times may be given back.

    Up to RabbitMQ 4.2 each return counts against its delivery limit, so it must stay rare.
    """
    return delivery_count < GIVE_BACKS
