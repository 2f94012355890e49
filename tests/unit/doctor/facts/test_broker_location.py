"""Where the doctor looks: the broker that is named, else the private one of the data folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.doctor.facts.broker_location import locate_broker
from coordinator.errors import OperatorError
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Identity, Ports
from coordinator.settings import Settings


@pytest.mark.parametrize(
    ("amqp_url", "management_url", "found", "login", "vhost"),
    [
        ("amqp://me:pw@rabbit/", None, "http://rabbit:15672", ("me", "pw"), "/"),
        ("amqp://me:p%40w@rabbit:5673/a%2Fb", None, "http://rabbit:15672", ("me", "p@w"), "a/b"),
        ("amqps://me:pw@rabbit", None, "https://rabbit:15671", ("me", "pw"), "/"),
        ("amqp://[::1]:5672/x", None, "http://[::1]:15672", ("guest", "guest"), "x"),
        ("amqp://me:pw@rabbit/", "https://ui/mq/", "https://ui/mq", ("me", "pw"), "/"),
        ("amqp://me:pw@rabbit/", "http://op:q@ui:80", "http://ui:80", ("op", "q"), "/"),
    ],
)
def test_the_management_api_is_beside_the_broker_unless_it_is_named(
    amqp_url: str, management_url: str | None, found: str, login: tuple[str, str], vhost: str
) -> None:
    address = locate_broker(Settings(amqp_url=amqp_url, management_url=management_url))
    assert (address.management_url, address.management_login) == (found, login)
    assert address.vhost == vhost
    assert address.private is None
    assert "pw" not in address.shown


def test_without_one_it_is_the_private_node_of_the_data_folder(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "rabbitmq")
    files.folder.mkdir()
    ports = Ports(amqp=21_001, management=21_002, distribution=21_003, epmd=21_004)
    files.write(Identity(username="me", password="a/b"), ports, listen_on="127.0.0.1")

    address = locate_broker(Settings(data_dir=tmp_path))

    assert address.amqp_url == "amqp://me:a%2Fb@127.0.0.1:21001"
    assert address.management_url == "http://127.0.0.1:21002"
    assert address.management_login == ("me", "a/b")
    assert address.private == files.folder
    assert address.consumer_timeout == timedelta(days=8)


def test_without_either_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f"no private one was ever started in {tmp_path}"):
        locate_broker(Settings(data_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []
