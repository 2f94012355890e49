"""Things are killed, suspended and cut off under a mixed load, and afterwards nothing is amiss.

`make test` runs one short round on each version of RabbitMQ that there is; `make chaos` runs, on each,
100 faults while 100 000 tasks are accepted, alone and in a cluster, over both databases, and prints a
table. What is random comes from a seed that is printed: CHAOS_SEED=<seed> makes the same choices again.
See docs/operations/chaos.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.chaos.cluster import cluster
from tests.chaos.nodes import Nodes
from tests.chaos.plan import SCENES, Plan, Scene, a_seed, long_plan
from tests.chaos.rounds import one_round
from tests.support.broker import own_node
from tests.support.sources import BrokerSource


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_short_round_loses_nothing_and_repeats_nothing_without_a_reason(
    broker_source: BrokerSource, tmp_path: Path
) -> None:
    plan = Plan(seed=a_seed(), faults=8, tasks=1000)
    async with running(broker_source, tmp_path, nodes=1) as nodes:
        await one_round(plan, nodes, tmp_path, sqlite(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.any_broker
async def test_a_short_round_on_a_cluster(broker_source: BrokerSource, tmp_path: Path) -> None:
    plan = Plan(seed=a_seed(), faults=5, tasks=600)
    async with running(broker_source, tmp_path, nodes=3) as nodes:
        await one_round(plan, nodes, tmp_path, sqlite(tmp_path))


@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scene", SCENES, ids=str)
async def test_the_long_form(
    broker_source: BrokerSource, scene: Scene, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite(tmp_path)
    if scene.database == "postgresql":
        url = request.getfixturevalue("postgres_url")
    async with running(broker_source, tmp_path, nodes=scene.nodes) as nodes:
        await one_round(long_plan(), nodes, tmp_path, url)


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.sqlite3'}"


@asynccontextmanager
async def running(source: BrokerSource, folder: Path, *, nodes: int) -> AsyncIterator[Nodes]:
    """The broker of a round, which is its own to harm."""
    if not source.ours:
        pytest.skip("this broker is not the tests' own: they may not stop it")
    async with AsyncExitStack() as stack:
        if nodes == 1:
            alone = own_node(source, folder / "node")
            stack.push_async_callback(alone.stop)
            await alone.start()
            yield Nodes([alone])
        else:
            if source.server is None:
                pytest.skip("a cluster is made of a server that is installed here")
            yield await stack.enter_async_context(cluster(source.server, folder / "cluster"))
