"""`coordinator up` as a process, on a test's broker: the service and the example agents."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import spawned

__all__ = ["System", "running_system"]

READY = re.compile(r"^ready after", re.MULTILINE)
API = re.compile(r"API\s+(http://\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Where it is."""

    api: str
    amqp_url: str
    data: Path
    """Its data folder."""
    cache: Path
    """Where its agents keep their last registrations."""


@contextlib.asynccontextmanager
async def running_system(
    amqp_url: str, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[System]:
    """Yields once all example agents are registered; ends as with Ctrl-C."""
    command = [sys.executable, "-m", "coordinator", "up", "--port", "0"]
    data, cache = folder / "data", folder / "cache"
    command += ["--amqp-url", amqp_url, "--data-dir", str(data)]
    environment = {"XDG_CACHE_HOME": str(cache), **(environment or {})}
    async with spawned(*command, output=folder / "up.out", environment=environment) as process:
        await process.prints(READY)
        found = API.search(process.printed)
        assert found is not None, process.printed
        yield System(api=found[1], amqp_url=amqp_url, data=data, cache=cache)
