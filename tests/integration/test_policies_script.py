"""`deploy/rabbitmq/policies.sh` on a real broker, as an operator runs it."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from coordinator.protocol.ids import new_id
from tests.support.broker import Broker

SCRIPT = Path(__file__).resolve().parents[2] / "deploy/rabbitmq/policies.sh"
PASSWORD = 'a "word" with \\ in it: @/#'
CURL = shutil.which("curl")


@pytest.mark.skipif(CURL is None, reason="the script needs curl")
@pytest.mark.parametrize("way", ["file", "variable"])
async def test_it_sets_the_policy_and_its_command_lines_name_no_password(
    broker: Broker, tmp_path: Path, way: str
) -> None:
    if broker.major < (3, 12):
        pytest.skip("RabbitMQ knows this policy from 3.12 on")
    api, user = broker.management, f"ada-{new_id()[-12:]}"
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$@" >> {tmp_path}/typed\nexec {CURL} "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    given = {"file": ("_FILE", str(tmp_path / "password")), "variable": ("", PASSWORD)}
    ending, value = given[way]
    await api.put("users", user, body={"password": PASSWORD, "tags": "policymaker,management"})
    try:
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await api.put("permissions", broker.vhost, user, body=everything)
        process = await asyncio.create_subprocess_exec(
            SCRIPT,
            env={
                "PATH": os.pathsep.join([str(tmp_path), os.environ["PATH"]]),
                "COORDINATOR_MANAGEMENT_URL": api.url,
                "RABBITMQ_USER": user,
                f"RABBITMQ_PASSWORD{ending}": value,
                "VHOST": broker.vhost,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed
    finally:
        await api.delete("users", user)
    policy = await api.get("policies", broker.vhost, "agent-coordinator-tasks")
    assert policy["definition"] == {"consumer-timeout": 691200000}
    typed = (tmp_path / "typed").read_text()
    assert "PUT" in typed
    assert "word" not in typed
