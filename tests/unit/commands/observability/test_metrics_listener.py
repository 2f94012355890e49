"""The listener of the metrics is on this machine unless told otherwise, and serves known hosts alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from coordinator.commands.observability.metrics_listener import metrics_listener, serving_metrics
from coordinator.settings import Settings
from coordinator.web_server.server_socket import address


class Page:
    async def scrape(self, accept: str) -> tuple[bytes, str]:
        return f"for {accept}\n".encode(), "text/plain"


@asynccontextmanager
async def listening(folder: Path, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=folder, metrics_port=0, **more)
    listener = metrics_listener(settings)
    assert listener is not None
    page: Any = Page()
    async with (
        serving_metrics(page, listener, settings),
        httpx.AsyncClient(base_url=address(listener), trust_env=False) as http,
    ):
        yield http


async def test_a_scrape_is_answered_and_nothing_else_is(tmp_path: Path) -> None:
    async with listening(tmp_path) as http:
        answer = await http.get("/metrics", headers={"Accept": "text/one"})
        assert (answer.status_code, answer.text) == (200, "for text/one\n")
        assert (await http.get("/tasks")).status_code == 404
        assert (await http.post("/metrics")).status_code == 404


async def test_it_is_on_loopback_where_the_api_is_open_to_others(tmp_path: Path) -> None:
    async with listening(tmp_path, http_host="0.0.0.0") as http:
        assert http.base_url.host == "127.0.0.1"


async def test_a_name_that_is_not_of_the_service_is_refused(tmp_path: Path) -> None:
    async with listening(tmp_path, allowed_hosts=("board.example",)) as http:
        for host, status in (("evil.example", 421), ("board.example:9102", 200)):
            answer = await http.get("/metrics", headers={"Host": host})
            assert answer.status_code == status, host
