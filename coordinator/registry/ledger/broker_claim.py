"""States on the broker which ledger it belongs to, and refuses a broker that belongs to another.

Two ledgers on one broker would each fold a part of one log: what an agent says of a task would reach the
one that has not submitted it. So it is the first thing that is said over each link, before anything is
read or published. What has lost its data, or is a new broker, belongs to nobody yet.
"""

from __future__ import annotations

import re

from coordinator.broker.connection import Link
from coordinator.errors import OtherLedger, TopologyConflict
from coordinator.protocol.topology import LEDGER, ledger_claim

__all__ = ["BrokerClaim"]

_STATED = re.compile(rf"current is '{re.escape(LEDGER)}\.([0-9a-f]+)'")
_ARGUMENT = "inequivalent arg 'alternate-exchange'"
"""RabbitMQ's words; where the virtual host has a long name, they end before the other's id."""


class BrokerClaim:
    """Claims each broker that a coordinator connects to for the ledger ``ledger_id``."""

    def __init__(self, ledger_id: str) -> None:
        self._ledger_id = ledger_id

    async def state(self, link: Link) -> None:
        """Raises `OtherLedger` where the broker has another one stated, and whatever a declaration does."""
        channel = await link.channel()
        try:
            await channel.declare(ledger_claim(self._ledger_id))
        except TopologyConflict as exc:
            told = str(exc)
            if _ARGUMENT not in told:
                raise
            other = _STATED.search(told)
            raise OtherLedger(self._ledger_id, other[1] if other else None) from exc
        await channel.close()
