"""Service and agents on amqps://: a broker that asks for certificates, and clients that check its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio
import trustme

from consumers import Task
from coordinator.broker.connection import Connection
from coordinator.errors import CoordinatorError
from coordinator.rabbitmq_node.installed_server import InstalledServer
from coordinator.rabbitmq_node.server_launch import MOUNT_POINT
from tests.support.broker import Broker, LocalNode, own_node
from tests.support.certificates import Files, issued, trusted
from tests.support.management import ManagementApi
from tests.support.ports import free_port
from tests.support.serving import serving
from tests.support.sources import BrokerSource
from tests.support.waiting import eventually

CA = trustme.CA()


@dataclass(frozen=True, kw_only=True)
class TlsNode:
    """A node with a TLS listener, and what clients of it need."""

    node: LocalNode
    port: int
    ca: Path
    client: Files
    foreign: Files
    """A certificate of another CA."""

    def url(self, host: str = "localhost", /, **files: Path) -> str:
        parts = urlsplit(self.node.amqp_url)
        query = "&".join(f"{name}={quote(str(value), safe='/')}" for name, value in files.items())
        login = f"{parts.username}:{parts.password}"
        return f"amqps://{login}@{host}:{self.port}/?{query}"

    @property
    def good_url(self) -> str:
        own = self.client
        return self.url(cafile=self.ca, certfile=own.certificate, keyfile=own.key)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tls_node(
    broker_source: BrokerSource, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TlsNode]:
    if not broker_source.ours or broker_source.server is None:
        pytest.skip("this broker is not the tests' own: its listeners are not theirs to choose")
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    node = own_node(broker_source, folder / "node")
    assert isinstance(node, LocalNode)
    assert isinstance(broker_source.server, InstalledServer)
    mine = node._files.folder / "tls"
    seen = mine if broker_source.server.root is None else Path(MOUNT_POINT) / "tls"
    server = issued(CA, mine, "localhost")
    trusted(CA, mine / "ca.pem")
    for file in mine.iterdir():
        file.chmod(0o644)
    node._files._settings = dict(node._files._settings) | {  # type: ignore[attr-defined]
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": seen / "ca.pem",
        "ssl_options.certfile": seen / server.certificate.name,
        "ssl_options.keyfile": seen / server.key.name,
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
    }
    try:
        await node.start()
        yield TlsNode(
            node=node,
            port=port,
            ca=trusted(CA, folder / "ca.pem"),
            client=issued(CA, folder / "client", "client.example.org"),
            foreign=issued(trustme.CA(), folder / "foreign", "client.example.org"),
        )
    finally:
        await node.stop()


async def test_a_task_goes_from_the_service_to_an_agent_and_back_over_tls(
    tls_node: TlsNode, tmp_path: Path
) -> None:
    node = tls_node.node
    async with ManagementApi(
        node.management_url, username=node.username, password=node.password
    ) as management:
        broker = Broker(tls_node.good_url, management, vhost="/", name="tls", version=node.version)
        broker.url = tls_node.good_url
        async with serving(broker, tmp_path) as service:
            agent = service.agent("ada")

            @agent.task("upper")
            async def upper(task: Task) -> str:
                return str(task.data["text"]).upper()

            async with agent.running():
                task_id = (
                    await service.post(
                        "/tasks/submit", task_data={"task_type": "upper", "text": "over tls"}
                    )
                )["task_id"]
                assert (await service.ends(task_id))["result"] == "OVER TLS"

            async def all_by_tls() -> bool:
                """Counted by the broker, which tells of connections after a second."""
                found = await management.get("connections")
                return bool(found) and all(one["ssl"] for one in found)

            assert await eventually(all_by_tls)


async def refusal(url: str) -> str:
    """Why a connection to there is not opened, as people are told."""
    connection = Connection(url, name="test")
    with pytest.raises(CoordinatorError) as told:
        await connection._connect()
    return str(told.value)


async def test_a_broker_of_another_ca_or_name_is_not_spoken_to(
    tls_node: TlsNode, tmp_path: Path
) -> None:
    own = {"certfile": tls_node.client.certificate, "keyfile": tls_node.client.key}
    other = trusted(trustme.CA(), tmp_path / "other.pem")
    assert "certificate" in await refusal(tls_node.url(cafile=other, **own))
    assert "certificate" in await refusal(tls_node.url(**own)), "nor is one that nobody vouches for"
    named = await refusal(tls_node.url("127.0.0.1", cafile=tls_node.ca, **own))
    assert "127.0.0.1" in named, "its certificate is for localhost"


async def test_a_client_without_a_certificate_that_the_broker_trusts_is_refused(
    tls_node: TlsNode,
) -> None:
    foreign = {"certfile": tls_node.foreign.certificate, "keyfile": tls_node.foreign.key}
    for files in ({}, foreign):
        assert await refusal(tls_node.url(cafile=tls_node.ca, **files))


async def test_files_that_are_not_there_are_told(tls_node: TlsNode, tmp_path: Path) -> None:
    assert "No such file" in await refusal(tls_node.url(cafile=tmp_path / "none.pem"))
