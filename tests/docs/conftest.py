"""A running system for the pages' commands, as `make run` gives one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.broker import Broker
from tests.support.running_system import System, running_system
from tests.support.sources import BrokerSource, broker_sources


@pytest.fixture
async def system(
    broker: Broker, broker_source: BrokerSource, tmp_path: Path
) -> AsyncIterator[System]:
    if broker_source != broker_sources()[0]:
        pytest.skip("the pages are run on one version of the broker")
    async with running_system(broker.url, tmp_path) as found:
        yield found
