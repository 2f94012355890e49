"""`coordinator agents` on a real broker, as it is typed."""

from __future__ import annotations

import asyncio
import re
import shlex
import stat
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiormq
import aiormq.exceptions
import pytest

from coordinator.agent_users.agent_grant import CONTROL_POLICY, AgentGrant, control_policy
from coordinator.commands.cli import main
from coordinator.environment import content_of
from coordinator.protocol.ids import new_id
from coordinator.protocol.topology import EVENTS
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.broker_users import COORDINATOR, enter_user, entered_users
from tests.support.agent_accounts import url_of, users_of
from tests.support.broker import Broker, OwnBroker
from tests.support.broker_users import Account, broker_account
from tests.support.doctor import Doctor
from tests.support.serving import serving
from tests.support.waiting import eventually

Typed = Callable[..., "asyncio.Future[int]"]
URL = re.compile(r"^export COORDINATOR_AMQP_URL=(amqp://\S+)$", re.MULTILINE)


@pytest.fixture
async def ada(broker: Broker) -> AsyncIterator[str]:
    """An id whose user is deleted at the end."""
    agent_id = f"ada-{new_id()[-12:]}"
    yield agent_id
    await broker.management.delete("users", agent_id)


@pytest.fixture
def coordinator_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Broker], Typed]:
    """The command line for a broker, with the exit status."""

    def typed(broker: Broker) -> Typed:
        api = broker.management
        login = f"{api.username}:{api.password}@"
        monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", api.url.replace("://", f"://{login}"))
        monkeypatch.setenv("COORDINATOR_AMQP_URL", broker.url)
        monkeypatch.setenv("COORDINATOR_DATA_DIR", str(tmp_path))
        return lambda *words: asyncio.ensure_future(asyncio.to_thread(main, words))

    return typed


@pytest.fixture
def coordinator(broker: Broker, coordinator_of: Callable[[Broker], Typed]) -> Typed:
    return coordinator_of(broker)


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
    shown = capsys.readouterr().out
    assert URL.findall(shown) == []
    assert f"coordinator agents rotate {ada}" in shown
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


async def test_the_address_goes_to_a_file_of_mode_600_and_what_is_shown_names_that_alone(
    broker: Broker,
    ada: str,
    coordinator: Typed,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    file = tmp_path / "an agent's url"
    written = {}
    for action in ("add", "rotate"):
        assert await coordinator("agents", action, ada, "--to", str(file)) == 0
        shown = capsys.readouterr().out
        url = content_of("the file", str(file))
        written[action] = url
        assert url.partition(":")[2] not in shown
        assert str(urlsplit(url).password) not in shown
        assert await connects(url)
        assert f"export COORDINATOR_AMQP_URL_FILE={shlex.quote(str(file))}" in shown.splitlines()
        assert mode_of(file) == 0o600
        await asyncio.to_thread(file.chmod, 0o644)
    assert not await connects(written["add"])


async def test_an_address_that_cannot_be_written_down_is_not_made(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for more, why in (
        (["--to", str(tmp_path / "nowhere" / "url")], "cannot be written: nothing was changed"),
        (["--to", str(tmp_path)], "cannot be written: nothing was changed"),
        (["--to", str(tmp_path / "url"), "--rabbitmqctl"], "--rabbitmqctl makes none"),
        (["--to", str(tmp_path / "url"), "--user", "team"], "--to: with --user nothing"),
    ):
        assert await coordinator("agents", "add", ada, *more) == 1
        assert why in capsys.readouterr().err
    assert ada not in [user["name"] for user in await broker.management.get("users")]


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
        "set_topic_permissions",
        "set_permissions",
    ]
    assert (
        "once a coordinator has been started" in lines[4]
    )  # RabbitMQ 4.3 has no rights for what is not
    assert ada not in [user["name"] for user in await broker.management.get("users")]


@pytest.mark.slow
async def test_the_commands_for_rabbitmqctl_make_what_the_management_api_makes(
    own_broker: OwnBroker,
    coordinator_of: Callable[[Broker], Typed],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As they are printed, where a coordinator has been before; the first asks for the password."""
    typed = coordinator_of(own_broker)
    async with serving(own_broker, tmp_path):
        pass
    grant = AgentGrant(agent_id="ada@home", capabilities=("gpu",), services=("files",), slots=40)
    asked = ("--capability", "gpu", "--service", "files", "--slots", "40")
    assert await typed("agents", "add", grant.agent_id, *asked, "--rabbitmqctl") == 0
    for line in capsys.readouterr().out.splitlines():
        _, *words = shlex.split(line, comments=True)
        password = ["of-this-test"] if words[0] == "add_user" else []
        await own_broker.ctl(*words, *password)

    async with users_of(own_broker) as users:
        [made] = await users.every()
    assert (made.grant, made.drift) == (grant, ())
    policy = await own_broker.management.get("policies", own_broker.vhost, CONTROL_POLICY)
    wanted = control_policy()
    assert {name: policy[name] for name in wanted} == dict(wanted)
    assert await connects(url_of(own_broker, grant.user, "of-this-test"))

    assert await typed("agents", "remove", grant.agent_id, "--rabbitmqctl") == 0
    [line] = capsys.readouterr().out.splitlines()
    await own_broker.ctl(*shlex.split(line, comments=True)[1:])
    async with users_of(own_broker) as users:
        assert await users.every() == []


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def inside(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def listed(coordinator: Typed, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert await coordinator("agents", "list") == 0
    return capsys.readouterr().out.splitlines()


async def test_tags_limits_and_the_policy_that_drifted_are_listed_with_what_puts_them_right(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    api, grant = broker.management, AgentGrant(agent_id=ada)
    assert await coordinator("agents", "add", ada) == 0
    kept = (await api.get("users", ada))["password_hash"]
    more = {"password_hash": kept, "tags": ",".join([*grant.tags, "impersonator"])}
    await api.put("users", ada, body=more)
    await api.put("user-limits", ada, "max-channels", body={"value": 2000})
    await api.put(
        "topic-permissions",
        broker.vhost,
        ada,
        body={"exchange": EVENTS, "write": "^task", "read": "^$"},
    )
    await api.delete("policies", broker.vhost, CONTROL_POLICY)
    wrong = [
        "it has the tag impersonator",
        f"its topic permission to write to {EVENTS} is ^task",
        "its limit max-channels is 2000, and was to be 32",
    ]
    lines = await listed(coordinator, capsys)
    for told in wrong:
        [line] = [one for one in lines if one.startswith("The user of the agent") and told in one]
        assert f"To put it right: coordinator agents add {ada} --type worker" in line
    [policy] = [one for one in lines if one.startswith(f"The policy {CONTROL_POLICY} does not")]
    assert "To put it right: curl" in policy

    doctor = Doctor(broker, tmp_path)
    await doctor.cure(await doctor.finds("agents-users", f"The policy {CONTROL_POLICY} does not"))
    fixes = [await doctor.finds("agents-users", told) for told in wrong]
    fix = fixes[0]
    assert await coordinator(*shlex.split(fix)[1:]) == 0
    left = [one for one in await listed(coordinator, capsys) if "To put it right" in one]
    # Nothing is said of who is registered, where there is no ledger; the test's own user administers.
    assert ["is an administrator of the broker" in one for one in left] == [True]
    assert inside(tmp_path) == []


async def test_a_user_of_another_name_speaks_for_the_agents_that_it_is_entered_for_until_that_is_taken_back(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    team = f"team-{ada}"
    folder = ("--data-dir", str(tmp_path))
    async with (
        broker_account(broker, Account(name=team)) as url,
        serving(broker, tmp_path, require_identity=True) as service,
    ):
        assert await coordinator("agents", "add", ada, "carol", "--user", team, *folder) == 0
        said = capsys.readouterr().out
        assert (
            f"The user {team} speaks for the agent {ada}, the agent carol, and for no other."
            in said
        )
        assert await coordinator("agents", "list", *folder) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert f"The user {team} speaks for the agent {ada}, the agent carol." in said
        assert "speaks for coordinators." in said

        agent = service.agent(ada)
        agent.configure(amqp_url=url)
        agent.default(lambda _: "done")
        async with agent.running() as running:
            await running.registered()
            assert (await service.ends(await service.submit()))["state"] == "completed"
            assert (await service.http.get("/parked")).json()["total"] == 0
            assert await coordinator("agents", "remove", ada, "--user", team, *folder) == 0
            assert "speaks for the agent carol, and for no other" in capsys.readouterr().out

            async def parked() -> bool:
                await service.submit()
                await service.coordinator.registry.settle()
                return bool((await service.http.get("/parked")).json()["total"])

            await eventually(parked)
        page = (await service.http.get("/parked")).json()["parked"]
        assert all(one["reason"].startswith("ForgedIdentity") for one in page)


@pytest.mark.any_broker
async def test_what_cannot_be_entered_is_refused_with_what_to_do(
    broker: Broker, ada: str, coordinator: Typed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = ("--data-dir", str(tmp_path))

    async def refusal(*words: str) -> str:
        assert await coordinator("agents", *words, *folder) == 1
        return capsys.readouterr().err

    own = broker.management.username
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.write(partial(enter_user, user=own, agent_id=COORDINATOR))
    assert "is a coordinator's" in await refusal("add", ada, "--user", own)
    assert "has no user nobody" in await refusal("add", ada, "--user", "nobody")
    assert "nothing of the broker is changed" in await refusal(
        "add", ada, "--user", own, "--capability", "gpu"
    )
    assert "enters no such thing" in await refusal("remove", ada, "--user", "nobody")
    assert "Name one agent" in await refusal("add", ada, "another")
    assert "Name one agent" in await refusal("remove")
    assert await coordinator("agents", "add", ada, *folder) == 0
    capsys.readouterr()
    assert f"was made for the agent {ada}" in await refusal("add", "carol", "--user", ada)
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        assert await ledger.read(entered_users) == [(own, COORDINATOR)]

    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.write(partial(enter_user, user="team", agent_id=ada))
    assert await coordinator("agents", "remove", ada, *folder) == 0
    assert f"coordinator agents remove {ada} --user team" in capsys.readouterr().out
    assert await coordinator("agents", "remove", "--user", own, *folder) == 0
    assert "Nothing is entered of the user" in capsys.readouterr().out
