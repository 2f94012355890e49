"""What the example agents of `coordinator up` are given of its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.commands.example_agent_processes import ExampleAgent, ExampleAgentProcesses
from tests.support.waiting import eventually

SECRETS = {
    "COORDINATOR_SECRET": "of-the-tokens-of-tasks",
    "COORDINATOR_DATABASE_URL": "postgresql://user:of-the-ledger@host/name",
    "COORDINATOR_MANAGEMENT_URL": "http://admin:of-the-broker@host:15672",
    "COORDINATOR_KEY": "of-the-api",
    "AWS_SECRET_ACCESS_KEY": "of-another-program",
}


async def test_they_are_given_their_own_address_of_the_broker_and_none_of_the_services_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EXAMPLE_SETTING", "theirs")
    module = tmp_path / "shown.py"
    module.write_text("import os\nprint(dict(os.environ), flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    agent = ExampleAgent(agent_id="ada", target="shown:agent", summary="")
    log = tmp_path / "logs" / "ada.log"
    async with ExampleAgentProcesses(
        [agent],
        amqp_urls={"ada": "amqp://ada:of-ada@host"},
        log_dir=log.parent,
        say=lambda line: None,
    ):
        shown: str = await eventually(lambda: log.read_text() if log.exists() else "")
    assert "amqp://ada:of-ada@host" in shown
    assert "'EXAMPLE_SETTING': 'theirs'" in shown
    assert [name for name, value in SECRETS.items() if name in shown or value in shown] == []
