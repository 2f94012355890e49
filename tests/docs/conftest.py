"""A running system for the pages' commands, as `make run` gives one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.running_system import System, running_system


@pytest.fixture
async def system(broker: Broker, tmp_path: Path) -> AsyncIterator[System]:
    async with running_system(broker.url, tmp_path) as found:
        yield found
