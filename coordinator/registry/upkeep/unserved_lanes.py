"""Tells lanes apart that no agent ever registered for: they ask for what nobody ever had, most often by a
typing error.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from sqlalchemy.engine import Connection

from coordinator.errors import LedgerUnavailable
from coordinator.protocol.requirements import Requirements
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.past_agent_offers import never_offered

__all__ = ["UnservedLanes"]

REMEMBERED = 10_000
"""Lanes that are known to be served; what was offered once stays so."""


class UnservedLanes:
    """Asks the ledger for each lane until somebody has offered all that it asks for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._served: set[str] = set()

    async def among(self, lanes: Mapping[str, Requirements]) -> AbstractSet[str]:
        """Those of ``lanes``, by their names, that ask for something which no agent ever registered. None
        while the ledger is away: nobody is refused for what cannot be known.
        """
        asked = {lane: wanted for lane, wanted in lanes.items() if lane not in self._served}
        try:
            found = await self._ledger.read(partial(_unserved, asked)) if asked else set()
        except LedgerUnavailable:
            return set()
        if len(self._served) > REMEMBERED:
            self._served.clear()
        self._served.update(asked.keys() - found)
        return found


def _unserved(asked: Mapping[str, Requirements], connection: Connection) -> set[str]:
    return {lane for lane, wanted in asked.items() if never_offered(wanted, connection)}
