"""A Prometheus of the tests' own: the one of this machine, or what `make prometheus` has fetched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from coordinator.rabbitmq_node.free_ports import choose_port
from tests.e2e.processes import spawned
from tests.support.tools import tool
from tests.support.waiting import eventually

__all__ = ["Prometheus", "running_prometheus"]


class Prometheus:
    """Answers queries of what it has scraped."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def query(self, expression: str) -> list[Any]:
        """The result at this moment. Raises `AssertionError` where it is no expression."""
        answer = await self._http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[Any] = answer.json()["data"]["result"]
        return found


@contextlib.asynccontextmanager
async def running_prometheus(
    folder: Path, targets: Mapping[str, Sequence[str]], *, shipped: Path
) -> AsyncIterator[Prometheus]:
    """Does what the configuration ``shipped`` says, once a second, with ``targets``, addresses by job, in the
    place of its own. They must be of the same jobs.
    """
    await asyncio.to_thread(folder.mkdir)
    port = choose_port([], taken=set())
    (folder / "prometheus.yml").write_text(_configuration(shipped, targets))
    command = [
        tool("prometheus", package="prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    base = f"http://127.0.0.1:{port}"
    async with (
        spawned(*command, output=folder / "prometheus.out") as process,
        httpx.AsyncClient(base_url=base, timeout=30) as http,
    ):

        async def ready() -> bool:
            if process.ended:
                raise AssertionError(process.printed)
            try:
                return (await http.get("/-/ready")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, timeout=60)
        yield Prometheus(http)


def _configuration(shipped: Path, targets: Mapping[str, Sequence[str]]) -> str:
    config = yaml.safe_load(shipped.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(shipped.parent / rules) for rules in config["rule_files"]]
    assert {job["job_name"] for job in config["scrape_configs"]} == targets.keys()
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
    return yaml.safe_dump(config)
