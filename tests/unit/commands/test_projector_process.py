"""A projecting process that cannot start ends what runs beside it, with the line that it would print."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from coordinator.commands.projector_process import beside_projector
from coordinator.errors import OperatorError
from coordinator.metrics.group_file import GroupMember
from coordinator.settings import Settings


async def test_its_line_is_raised_here_and_printed_nowhere_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    settings = Settings(amqp_url="amqp://127.0.0.1:1/", data_dir=tmp_path / "file")
    ended: list[str] = []

    async def work(_: GroupMember) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    with pytest.raises(OperatorError, match=r"folder"):
        await beside_projector(settings, work)
    assert ended == ["work"]
    assert "coordinator:" not in capfd.readouterr().err
