"""Several coordinators on one ledger: who folds the log, and who no longer may."""

from __future__ import annotations

import threading

from coordinator.protocol.topology import LOG
from coordinator.registry.ledger.ledger_rebuild import rebuild
from tests.support.broker import Broker
from tests.support.registering import RegisteringSide, registering_side
from tests.support.waiting import eventually
from tests.unit.registry.answers import answers


async def test_a_projector_that_was_stalled_wakes_up_and_writes_nothing(
    broker: Broker, ledger_url: str
) -> None:
    async with (
        registering_side(broker.url, name="first", ledger_url=ledger_url) as first,
        registering_side(broker.url, name="second", ledger_url=ledger_url) as second,
    ):
        first.start("projector")
        await first.submit("a")
        await eventually(lambda: folded(first) == ["a"])
        second.start("projector")

        wake = threading.Event()
        first.ledger._writer.submit(wake.wait)  # its next transaction hangs before it begins
        for task_id in "bcd":
            await first.submit(task_id)
        await eventually(lambda: first.ledger._writer._work_queue.qsize() == 1)
        link = await first.connection.opened()
        await link.close()  # as the broker does with one that does not answer

        await eventually(lambda: folded(second) == ["b", "c", "d"])
        await second.submit("e")
        await eventually(lambda: folded(second) == ["b", "c", "d", "e"])
        wake.set()
        await eventually(lambda: not first.projector._fence.held)
        assert folded(first) == ["a"]

        await second.stop("projector")  # and the first has its turn again
        await second.submit("f")
        await eventually(lambda: folded(first) == ["a", "f"])
        await eventually(lambda: empty(broker))
        found = await answers(first.ledger)
        assert [row["task_id"] for row in found["tasks"]] == [*"abcdef"]
        await second.ledger.write(rebuild)
        assert await answers(first.ledger) == found


def folded(side: RegisteringSide) -> list[str]:
    return [event.data.subject for event in side.folded if event.type == "task.submitted"]


async def empty(broker: Broker) -> bool:
    return await broker.depth(LOG) == 0
