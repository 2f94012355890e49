"""A ledger of the test's own, once in each database that it may be in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from coordinator.registry.ledger.ledger import Ledger


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with Ledger(ledger_url) as ledger:
        yield ledger
