"""What a connection makes of the broker's address, and of a broker that hangs up."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pamqp.frame
import pytest
import uvloop
from aiormq.exceptions import AMQPConnectionError
from pamqp import commands
from yarl import URL

from coordinator.broker.connection import Connection
from coordinator.broker.driver_errors import translated
from coordinator.errors import ConnectionLost, OperatorError
from tests.support.waiting import eventually

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


ANSWERS = (
    commands.Connection.Start(0, 9, {"capabilities": {}}, "PLAIN", "en_US"),
    commands.Connection.Tune(2047, 131072, 10),
    commands.Connection.OpenOk(),
)
"""What a broker says while a connection is opened, each in answer to something."""


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_broker_that_hangs_up_at_any_point_is_tried_again(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """How far it comes, and whether it says goodbye, differs from one attempt to the next."""
    endings = itertools.product(range(len(ANSWERS) + 1), (True, False))
    ways = list(endings)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, politely = ways.pop()
        for answer in ANSWERS[:answers]:
            await reader.read(4096)
            writer.write(pamqp.frame.marshal(answer, 0))
        if politely:
            writer.close()
        else:
            writer.transport.abort()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with Connection(f"amqp://u:p@127.0.0.1:{port}/", name="test") as connection:
            await eventually(lambda: not ways)
            assert connection._supervisor is not None
            assert not connection._supervisor.done()
        server.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


def _told_by_the_driver(cause: Exception) -> AMQPConnectionError:
    error = AMQPConnectionError(f"Server connection reset: {cause!r}")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (StopAsyncIteration(), "The broker hung up (while connecting)"),
        (
            _told_by_the_driver(asyncio.IncompleteReadError(b"", 1)),
            "The broker hung up (while connecting)",
        ),
        (
            _told_by_the_driver(ConnectionResetError(104, "Connection reset by peer")),
            "Connection reset by peer (while connecting)",
        ),
    ],
)
def test_a_lost_connection_is_told_in_words_for_people(raised: Exception, told: str) -> None:
    with pytest.raises(ConnectionLost) as caught, translated("connecting"):
        raise raised
    assert str(caught.value) == told
