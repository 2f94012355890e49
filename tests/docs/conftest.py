"""A running system for the pages' commands: the service and the example agents, as `make run` has."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.processes import spawned
from tests.support.broker import Broker

READY = re.compile(r"^ready after", re.MULTILINE)
API = re.compile(r"API\s+(http://\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Where it is."""

    api: str
    amqp_url: str
    cache: Path


@pytest.fixture
async def system(broker: Broker, tmp_path: Path) -> AsyncIterator[System]:
    """`coordinator up` on the test's broker, with all example agents."""
    command = [sys.executable, "-m", "coordinator.cli", "up", "--port", "0"]
    command += ["--amqp-url", broker.url, "--data-dir", str(tmp_path / "data")]
    cache = tmp_path / "cache"
    output = tmp_path / "up.out"
    async with spawned(
        *command, output=output, environment={"XDG_CACHE_HOME": str(cache)}
    ) as process:
        await process.prints(READY)
        found = API.search(process.printed)
        assert found is not None, process.printed
        yield System(api=found[1], amqp_url=broker.url, cache=cache)
