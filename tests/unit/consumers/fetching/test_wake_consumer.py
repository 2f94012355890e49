"""An agent that may not read the queue of calls works on, and is told to need no more rights."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from consumers._fetching.fleet import Fleet
from consumers._fetching.wake_consumer import WakeConsumer
from coordinator.errors import QueueRefused


class Refusing:
    """A link whose channels may read nothing."""

    open = False

    async def channel(self) -> Refusing:
        return self

    async def consume(self, *args: Any, **options: Any) -> None:
        raise QueueRefused("grant it with `rabbitmqctl set_permissions`")


async def test_a_user_that_may_not_read_the_queue_of_calls_is_told_to_lack_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    fleet = Fleet()
    fleet.told("wake.worker", 1)
    consumer = WakeConsumer(
        cast("Any", Refusing()), cast("Any", None), fleet, agent_id="ada", call=lambda call: None
    )

    await consumer.start(consumes_queues=False)

    assert (consumer.on, fleet.wake_queue) == (False, None)
    (told,) = caplog.messages
    assert told.startswith("this agent looks for work by itself")
    assert "need not" in told
    assert "set_permissions" not in told
