"""What a connection makes of the broker's address."""

from __future__ import annotations

import pytest
from yarl import URL

from coordinator.broker.connection import Connection
from coordinator.errors import OperatorError

ADDRESS = "amqp://user:pass%20word@rabbit:5672/%2F"


def query(url: str) -> dict[str, str]:
    return dict(Connection(url, name="test")._url.query)


def test_the_heartbeat_is_that_of_the_address_or_the_usual_one() -> None:
    assert query(ADDRESS) == {"heartbeat": "10"}
    assert query(f"{ADDRESS}?heartbeat=2") == {"heartbeat": "2"}
    assert query(f"{ADDRESS}?cafile=/ca.pem&heartbeat=30") == {
        "cafile": "/ca.pem",
        "heartbeat": "30",
    }


@pytest.mark.parametrize("given", ["0", "-1", "soon", "", "1.5", "601", "9" * 30])
def test_a_heartbeat_that_is_none_is_told_with_what_to_give(given: str) -> None:
    with pytest.raises(OperatorError, match="whole seconds from 1 to 600"):
        Connection(f"{ADDRESS}?heartbeat={given}", name="test")


def test_the_address_is_shown_without_login_and_query() -> None:
    connection = Connection(f"{ADDRESS}?heartbeat=2", name="test")
    assert URL(connection.address) == URL("amqp://rabbit:5672/%2F")
