from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from consumers._link.control_queue import OFTEN, ControlQueue
from consumers.agent_timings import AgentTimings
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher

RARELY = AgentTimings(rebind_interval=timedelta(seconds=20))


@given(st.integers(1, 100_000), st.integers())
def test_a_large_fleet_binds_its_queues_again_no_more_often_than_a_small_one(
    fleet: int, seed: int
) -> None:
    control = ControlQueue(
        "ada",
        publisher=Publisher(Connection("amqp://localhost", name="ada")),
        on_command=lambda _: None,
        fleet_size=lambda: fleet,
        timings=RARELY,
        rng=random.Random(seed),
    )
    seconds = control._until_rebound()
    assert fleet / seconds <= OFTEN / 16
    assert fleet > OFTEN or 16 <= seconds <= 20
