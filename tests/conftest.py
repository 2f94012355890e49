"""The fixtures of what tests need to have running. A test that asks for a broker runs once for each
RabbitMQ version at hand; one that is marked `any_broker` runs once.

`broker` is a virtual host of the test's own on a node that all tests share; `own_broker` is a node
of the test's own, which it may stop, kill and suspend. `postgres_url` is a database of the test's own
on a server that all tests share; `own_postgres` is a server of the test's own.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio

from tests.support.broker import Broker, OwnBroker, own_node
from tests.support.interrupting import end_as_by_ctrl_c
from tests.support.management import ManagementApi
from tests.support.postgres import NO_POSTGRES, PostgresServer, own_postgres_server
from tests.support.shared_nodes import NodeAddress, NodesBeside
from tests.support.slow_spread import spread
from tests.support.sources import BrokerSource, broker_sources, must_have_a_broker

NO_BROKER = (
    "no RabbitMQ at hand: run `make rabbitmq`, start Docker,"
    " or set COORDINATOR_TEST_AMQP_URL and COORDINATOR_TEST_MANAGEMENT_URL"
)

_numbers = itertools.count(1)
_addresses = pytest.StashKey[dict[str, dict[str, str]]]()

# A busy machine is no reason to fail: what a test takes is judged by its time-out alone.
hypothesis.settings.register_profile(
    "any machine",
    hypothesis.settings(),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Whatever ends a run, ends the nodes and processes of its tests. Workers of `pytest -n` are told
    to end by the process that has started them.
    """
    if not hasattr(config, "workerinput"):
        end_as_by_ctrl_c()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Start the shared nodes for all workers: here, in the process that hands the tests out."""
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    sources = [source for source in broker_sources() if source.ours]
    nodes = NodesBeside({one.label: own_node(one, folder / one.label) for one in sources})
    config.add_cleanup(nodes.stop)
    config.stash[_addresses] = nodes.start()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of what takes long nothing is left to be waited for at the end."""
    if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
        slow: list[pytest.Item] = []
        quick: list[pytest.Item] = []
        for item in items:
            (slow if item.get_closest_marker("slow") else quick).append(item)
        items[:] = spread(slow, quick, workers)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where they are."""
    node.workerinput["nodes"] = node.config.stash[_addresses]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "broker_source" not in metafunc.fixturenames:
        return
    sources = broker_sources()
    if metafunc.definition.get_closest_marker("any_broker"):
        sources = sources[:1]
    if not sources and not must_have_a_broker():
        none = pytest.param(None, id="no-rabbitmq", marks=pytest.mark.skip(reason=NO_BROKER))
        metafunc.parametrize("broker_source", [none], scope="session")
        return
    metafunc.parametrize(
        "broker_source",
        sources or [None],
        ids=[source.label for source in sources] or ["no-rabbitmq"],
        scope="session",
    )


@pytest.fixture(scope="session")
def broker_source(request: pytest.FixtureRequest) -> BrokerSource:
    """Where this run of the test gets its broker from; `pytest_generate_tests` names them all."""
    source: BrokerSource | None = getattr(request, "param", None)
    if source is None:
        pytest.fail(NO_BROKER)
    return source


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_nodes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, NodeAddress]]:
    """One running node for each version that the chosen tests need, by label."""
    if hasattr(request.config, "workerinput"):
        told = request.config.workerinput["nodes"]
        yield {label: NodeAddress(**fields) for label, fields in told.items()}
        return
    wanted: dict[str, BrokerSource] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            source = item.callspec.params.get("broker_source")
            if isinstance(source, BrokerSource) and source.ours and "broker" in item.fixturenames:
                wanted[source.label] = source
    nodes = {
        label: own_node(source, tmp_path_factory.mktemp(label)) for label, source in wanted.items()
    }
    try:
        await asyncio.gather(*(node.start() for node in nodes.values()))
        yield {label: NodeAddress.of(node) for label, node in nodes.items()}
    finally:
        await asyncio.gather(*(node.stop() for node in nodes.values()))


@pytest.fixture
async def management(
    broker_source: BrokerSource, shared_nodes: dict[str, NodeAddress]
) -> AsyncIterator[ManagementApi]:
    """Of the shared node."""
    if broker_source.management_url is not None:
        api = ManagementApi.with_login(broker_source.management_url)
    else:
        node = shared_nodes[broker_source.label]
        api = ManagementApi(node.management_url, username=node.username, password=node.password)
    async with api:
        yield api


@pytest.fixture
async def broker(
    broker_source: BrokerSource,
    shared_nodes: dict[str, NodeAddress],
    management: ManagementApi,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Broker]:
    """A virtual host of the test's own."""
    if broker_source.amqp_url is not None:
        url, version = broker_source.amqp_url, await management.version()
    else:
        node = shared_nodes[broker_source.label]
        url, version = node.amqp_url, node.version
    vhost = f"{_readable(request.node.name)}-{_worker()}{next(_numbers)}"
    await management.create_vhost(vhost)
    try:
        yield Broker(
            url,
            management,
            vhost=vhost,
            name=_readable(request.node.name),
            version=version,
        )
    finally:
        await management.delete("vhosts", vhost)


@pytest.fixture
def broker_url(broker: Broker) -> str:
    return broker.url


@pytest.fixture
async def own_broker(
    broker_source: BrokerSource,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[OwnBroker]:
    """A running node of the test's own, which it may stop, kill and suspend."""
    if not broker_source.ours:
        pytest.skip("this broker is not the tests' own: they may not stop it")
    async with AsyncExitStack() as stack:
        node = own_node(broker_source, tmp_path_factory.mktemp("own"))
        stack.push_async_callback(node.stop)
        await node.start()
        management = await stack.enter_async_context(
            ManagementApi(node.management_url, username=node.username, password=node.password)
        )
        yield OwnBroker(node, management, name=_readable(request.node.name))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands that run inside a test set up the logging of this process; the next tests read logs."""
    names = ("", *logging.root.manager.loggerDict)
    levels = [(logger, logger.level) for logger in map(logging.getLogger, names)]
    before = list(logging.root.handlers)
    yield
    for logger, level in levels:
        logger.setLevel(level)
    for handler in list(logging.root.handlers):
        if handler not in before and not type(handler).__module__.startswith("_pytest"):
            logging.root.removeHandler(handler)


def _started_postgres() -> Iterator[PostgresServer]:
    server = own_postgres_server()
    if server is None:
        if must_have_a_broker():
            pytest.fail(NO_POSTGRES)
        pytest.skip(NO_POSTGRES)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests."""
    yield from _started_postgres()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server of the test's own, which it may stop and kill."""
    yield from _started_postgres()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """A database of the test's own."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new ledger's, once in each database that it may be in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite3'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def _worker() -> str:
    """Of the processes that run tests side by side, this one, such as `gw0-`."""
    name = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{name}-" if name else ""


def _readable(test: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", test).strip("-")[:100]
