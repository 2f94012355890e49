"""Who listens where several processes share a socket: the first worker that can answer, not the parent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from coordinator.commands import worker_processes as module
from coordinator.errors import OperatorError
from coordinator.settings import Settings
from tests.support.waiting import eventually


async def test_connections_are_refused_until_the_first_worker_listens(tmp_path: Path) -> None:
    shared: list[int] = []
    kept: list[str] = []

    class Workers:
        def __init__(self, settings: Settings) -> None:
            pass

        async def keep(self, what: str, *options: str, descriptors: Sequence[int] = ()) -> NoReturn:
            given = dict(zip(options[::2], options[1::2], strict=True))
            duty, place = given["--duty"], given["--figures"].partition(":")[2]
            kept.append(f"{what}: {duty}, at place {place}")
            assert int(given["--figures"].partition(":")[0]) in descriptors
            if "--socket-fd" in given:
                shared.append(int(given["--socket-fd"]))
                assert shared[-1] in descriptors
            await asyncio.Event().wait()
            raise AssertionError

        async def stop(self) -> None:
            return

    settings: Any = Settings(data_dir=tmp_path, http_port=0, http_workers=2, projector="own")
    said: list[str] = []
    serving = asyncio.create_task(module.serve_with_workers(settings, said.append, keeps=Workers))
    try:
        await eventually(lambda: shared)
        worker = socket.socket(fileno=shared[0])
        port = worker.getsockname()[1]
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) != 0
        assert not said
        assert kept == [
            "projecting process: projecting, at place 0",
            "worker 1: serving, at place 1",
            "worker 2: serving, at place 2",
        ]

        worker.listen()
        await eventually(lambda: said)
        assert said == [f"listening on http://127.0.0.1:{port} with 2 workers"]
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == 0
        worker.detach()
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@pytest.mark.parametrize(("rate", "told"), [("10/minute", 1), (None, 0)])
async def test_workers_that_count_by_themselves_are_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rate: str | None, told: int
) -> None:
    class Broken:
        def __init__(self, settings: Settings) -> None:
            pass

        async def keep(self, what: str, *options: str, descriptors: Sequence[int] = ()) -> NoReturn:
            raise OperatorError("it cannot start")

        async def stop(self) -> None:
            return

    settings: Any = Settings(data_dir=tmp_path, http_port=0, http_workers=2, rate_limit=rate)
    with pytest.raises(OperatorError):
        await module.serve_with_workers(settings, lambda _: None, keeps=Broken)
    assert caplog.text.count("each of the 2 workers counts by itself") == told
