"""The whole service on a real broker, called without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from coordinator.bootstrap import Coordinator, running
from coordinator.settings import Settings
from tests.support.broker import Broker

from .fakes import over


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Coordinator]:
    async with running(Settings(amqp_url=broker.url, data_dir=tmp_path)) as coordinator:
        await coordinator.ready()
        yield coordinator


@pytest.fixture
async def http(service: Coordinator) -> AsyncIterator[httpx.AsyncClient]:
    async with over(service.app) as client:
        yield client
