"""Where tests get their broker from, decided from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.management import ManagementApi
from tests.support.sources import ROOTS, broker_sources, must_have_a_broker

ALL = {"COORDINATOR_TEST_RABBITMQ": "all"}
GIVEN = {
    "COORDINATOR_TEST_AMQP_URL": "amqp://u:p@broker/",
    "COORDINATOR_TEST_MANAGEMENT_URL": "http://u:p@broker:15672",
}


def test_a_broker_that_is_named_is_the_only_one() -> None:
    (source,) = broker_sources(GIVEN | {"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert source.amqp_url == "amqp://u:p@broker/"
    assert not source.ours


def test_a_broker_that_is_named_needs_its_management_url() -> None:
    with pytest.raises(ValueError, match="set COORDINATOR_TEST_MANAGEMENT_URL too"):
        broker_sources({"COORDINATOR_TEST_AMQP_URL": "amqp://u:p@broker/"})


def test_with_docker_each_image_is_a_source() -> None:
    docker = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    sources = broker_sources(docker | ALL)
    assert [source.label for source in sources] == [
        "rabbitmq-3.13-management",
        "rabbitmq-4.0-management",
        "rabbitmq-4-management",
    ]
    assert all(source.ours for source in sources)
    assert broker_sources(docker) == [sources[0], sources[-1]]


def system(root: Path, version: str) -> Path:
    """A folder that looks like a Debian with this RabbitMQ."""
    for folder in (f"lib/rabbitmq/lib/rabbitmq_server-{version}", "lib/rabbitmq/bin"):
        (root / "usr" / folder).mkdir(parents=True)
    (root / "usr/lib/rabbitmq/bin/rabbitmq-server").touch()
    epmd = root / "usr/lib/erlang/erts-1/bin/epmd"
    epmd.parent.mkdir(parents=True)
    epmd.touch()
    return root


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter another system")


@needs_root
def test_of_the_servers_at_hand_the_oldest_and_the_newest_are_tested(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    for folder, version in (("4.0", "4.0.5"), ("4.3", "4.10.1")):
        system(tmp_path / "agent-coordinator" / f"rabbitmq-{folder}", version)
    every = [source.label for source in broker_sources(cache | ALL)]
    assert every[-2:] == ["rabbitmq-4.0", "rabbitmq-4.10"]
    chosen = [source.label for source in broker_sources(cache)]
    assert chosen == [every[0], "rabbitmq-4.10"]


@needs_root
def test_servers_that_are_named_are_all_tested(tmp_path: Path) -> None:
    folders = [system(tmp_path / v, v) for v in ("4.3.6", "4.0.5", "4.2.1")]
    labels = [one.label for one in broker_sources({ROOTS: os.pathsep.join(map(str, folders))})]
    assert labels[-3:] == ["rabbitmq-4.0", "rabbitmq-4.2", "rabbitmq-4.3"]


def test_what_is_no_choice_of_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="say all"):
        broker_sources({"DOCKER_HOST": "tcp://127.0.0.1:1", "COORDINATOR_TEST_RABBITMQ": "4"})


@pytest.mark.parametrize(
    ("ci", "must"),
    [({}, False), ({"CI": ""}, False), ({"CI": "false"}, False), ({"CI": "1"}, True)],
)
def test_only_ci_must_have_a_broker(ci: dict[str, str], must: bool) -> None:
    assert must_have_a_broker(ci) is must


async def test_a_login_in_the_url_is_no_part_of_the_address() -> None:
    async with ManagementApi.with_login("http://u:p@broker:15672") as api:
        assert api.url == "http://broker:15672"
        assert api.username == "u"
