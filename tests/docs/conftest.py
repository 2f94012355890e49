"""A running system for the pages' commands, as `make run` gives one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.agent_accounts import users_of
from tests.support.broker import Broker
from tests.support.running_system import System, running_system


@pytest.fixture
async def system(broker: Broker, tmp_path: Path) -> AsyncIterator[System]:
    """The users that the pages make for their agents are gone at the end."""
    async with running_system(broker.url, tmp_path) as found:
        yield found
    async with users_of(broker) as users:
        for one in await users.every():
            await users.remove(one.grant.agent_id)
