"""The data folder is this user's alone, and one that is wider is told."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.bootstrap import running
from coordinator.private_folder import make_private_folder, wide_folder
from coordinator.rabbitmq_node.child_process import spawn, spawn_obedient
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Ports
from coordinator.registry.ledger.ledger import Ledger
from coordinator.settings import Settings


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    """A user whose files everybody may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_folder_that_is_made_is_private_and_others_stay_as_they_are(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    make_private_folder(there / "one" / "two")
    assert [mode(path) for path in (there, there / "one", there / "one" / "two")] == [
        *(0o755, 0o700, 0o700)
    ]
    make_private_folder(there)
    assert mode(there) == 0o755


def test_a_folder_that_others_may_look_into_is_told_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    assert wide_folder(tmp_path / "nowhere") is None
    for width in (0o755, 0o710, 0o701):
        tmp_path.chmod(width)
        assert str(wide_folder(tmp_path)).endswith(f"(mode {width:o}): run chmod 700 {tmp_path}")
    tmp_path.chmod(0o700)
    assert wide_folder(tmp_path) is None


async def test_whether_node_or_ledger_comes_first_the_data_folder_is_private(
    tmp_path: Path,
) -> None:
    """Under `coordinator up`, which begins with the node, it was not."""
    for order in (["node", "ledger"], ["ledger", "node"]):
        data = tmp_path / order[0] / "data"
        for part in order:
            if part == "node":
                files = NodeFiles(data / "rabbitmq")
                with files.locked():
                    files.write(files.identity(), PORTS, listen_on="127.0.0.1")
            else:
                async with Ledger(data / "ledger.sqlite3"):
                    pass
        folders = [data, *(path for path in data.rglob("*") if path.is_dir())]
        assert {path.name: mode(path) & 0o077 for path in folders} == {
            path.name: 0 for path in folders
        }


PORTS = Ports(amqp=1, management=2, distribution=3, epmd=4)


@pytest.mark.parametrize("start", [spawn, spawn_obedient])
async def test_a_process_of_the_node_makes_files_for_this_user_alone(
    start: type, tmp_path: Path
) -> None:
    code = f"open({str(tmp_path / 'made')!r}, 'w')"
    process: asyncio.subprocess.Process = await start(
        [sys.executable, "-c", code], env={}, output=tmp_path / "out", umask=0o077
    )
    assert await process.wait() == 0
    assert mode(tmp_path / "made") == 0o600


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture(params=[(0o755, 0o644, True), (0o700, 0o644, False), (0o755, 0o600, False)])
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, bool]:
    """A ledger, and whether others may read it: not where its folder keeps them out."""
    file = tmp_path / "ledger.sqlite3"
    file.touch()
    folders, files, told = request.param
    tmp_path.chmod(folders)
    file.chmod(files)
    return file, told


async def test_the_service_tells_of_a_ledger_that_others_may_read(
    ledger: tuple[Path, bool], caplog: pytest.LogCaptureFixture
) -> None:
    file, told = ledger
    settings = Settings(
        amqp_url="amqp://127.0.0.1:1",
        data_dir=file.parent / "data",
        database_url=f"sqlite:///{file}",
    )
    with caplog.at_level(logging.WARNING, logger="coordinator.bootstrap"):
        async with running(settings):
            pass
    assert any(f"run chmod 600 {file}" in one for one in caplog.messages) == told


async def test_the_service_tells_of_a_data_folder_that_is_wide(
    wide: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = Settings(amqp_url="amqp://127.0.0.1:1", data_dir=wide)
    with caplog.at_level(logging.WARNING, logger="coordinator.bootstrap"):
        async with running(away):
            pass
    (told,) = [one for one in caplog.messages if "data folder" in one]
    assert f"run chmod 700 {wide}" in told
