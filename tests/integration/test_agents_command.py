"""`coordinator agents` on a real broker, as it is typed."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiormq
import aiormq.exceptions
import pytest

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.commands.cli import main
from coordinator.protocol.ids import new_id
from tests.support.agent_accounts import users_of
from tests.support.broker import Broker
from tests.support.doctor import Doctor

Typed = Callable[..., "asyncio.Future[int]"]
URL = re.compile(r"^COORDINATOR_AMQP_URL=(amqp://\S+)$", re.MULTILINE)


@pytest.fixture
async def ada(broker: Broker) -> AsyncIterator[str]:
    """An id whose user is deleted at the end."""
    agent_id = f"ada-{new_id()[-12:]}"
    yield agent_id
    await broker.management.delete("users", agent_id)


@pytest.fixture
def coordinator(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Typed:
    """The command line, with the exit status."""
    api = broker.management
    login = f"{api.username}:{api.password}@"
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", api.url.replace("://", f"://{login}"))
    monkeypatch.setenv("COORDINATOR_AMQP_URL", broker.url)
    return lambda *words: asyncio.ensure_future(asyncio.to_thread(main, words))


async def connects(url: str) -> bool:
    try:
        await (await aiormq.connect(url)).close()
    except (aiormq.exceptions.AuthenticationError, aiormq.exceptions.ProbableAuthenticationError):
        return False
    return True


async def rights(broker: Broker, user: str) -> dict[str, str]:
    found = await broker.management.get("permissions", broker.vhost, user)
    return {kind: found[kind] for kind in ("configure", "write", "read")}


async def test_a_user_is_made_changed_given_another_password_and_removed(
    broker: Broker,
    ada: str,
    coordinator: Typed,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert await coordinator("agents", "add", ada, "--capability", "gpu") == 0
    [first] = URL.findall(capsys.readouterr().out)
    assert await connects(first)
    granted = AgentGrant(agent_id=ada, capabilities=("gpu",))
    assert await rights(broker, ada) == granted.permissions

    assert await coordinator("agents", "add", ada, "--service", "files", "--slots", "40") == 0
    assert URL.findall(capsys.readouterr().out) == []
    assert await connects(first)
    changed = AgentGrant(agent_id=ada, services=("files",), slots=40)
    assert await rights(broker, ada) == changed.permissions
    [limits] = await broker.management.get("user-limits", ada)
    assert limits["value"] == changed.limits

    assert await coordinator("agents", "rotate", ada) == 0
    [second] = URL.findall(capsys.readouterr().out)
    assert not await connects(first)
    assert await connects(second)
    assert await rights(broker, ada) == changed.permissions

    assert await coordinator("agents", "list") == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if ada in line]
    assert row.split()[1:] == ["worker", "files", "40", "as", "granted"]
    more = {**changed.permissions, "write": ".*"}
    await broker.management.put("permissions", broker.vhost, ada, body=more)
    async with users_of(broker) as users:
        [found] = [one for one in await users.every() if one.grant.agent_id == ada]
    assert found.drift == ("its write permission is .*",)
    fix = await Doctor(broker, tmp_path).finds("agents-users", "its write permission is .*")
    command, *words = shlex.split(fix)
    assert command == "coordinator"
    assert await coordinator(*words) == 0
    assert await rights(broker, ada) == changed.permissions

    assert await coordinator("agents", "remove", ada) == 0
    assert not await connects(second)
    assert await coordinator("agents", "remove", ada) == 1
    assert "has no user for the agent" in capsys.readouterr().err


async def test_a_user_that_is_no_agents_is_never_changed(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    api = broker.management
    await api.put("users", ada, body={"password": "secret", "tags": "administrator"})
    for action in ("add", "rotate", "remove"):
        assert await coordinator("agents", action, ada) == 1
        assert "that is no agent's" in capsys.readouterr().err
    assert (await api.get("users", ada))["tags"] in ("administrator", ["administrator"])


@pytest.mark.any_broker
async def test_who_is_no_administrator_is_told_what_to_do_instead(
    broker: Broker,
    ada: str,
    coordinator: Typed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"http://nobody:wrong@{broker.management.url.partition('://')[2]}"
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", url)
    assert await coordinator("agents", "add", ada) == 1
    told = capsys.readouterr().err
    assert "refuses the user nobody" in told
    assert "--rabbitmqctl" in told
    assert "wrong" not in told


@pytest.mark.any_broker
async def test_the_commands_that_are_printed_for_rabbitmqctl_change_nothing_and_name_no_password(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await coordinator("agents", "add", ada, "--capability", "gpu", "--rabbitmqctl") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [
        "add_user",
        "set_user_tags",
        "set_user_limits",
        "set_policy",
        "set_topic_permissions",
        "set_permissions",
    ]
    assert ada not in [user["name"] for user in await broker.management.get("users")]
