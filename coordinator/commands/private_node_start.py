"""Starts the private RabbitMQ node of `coordinator up`, or a new one in its place.

A node can go on with the data of the version before it, and not with every older one's. Then the ledger
has all that was folded, and the old folder what was not:

    does not start ─▶ marked, and noted in the ledger ─▶ its folder moved aside ─▶ a new node
                                                                         ─▶ `recovery.broker_migration`

Where the old version of RabbitMQ is installed again, and the folder is back in its place, the tasks are on
their queues there: by the mark that is known, and the note is withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from coordinator.errors import OperatorError, OtherVersionsData
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.server_launch import Server
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.settings import Settings

from .ports import Says

__all__ = ["start_private_node"]


async def start_private_node(
    settings: Settings,
    say: Says,
    *,
    new: bool = False,
    server: Server | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> EmbeddedNode:
    """Start the node of the data folder, and return it. Raises `OperatorError` where it does not start, or
    where a ``new`` one is asked for and the one that is there would do. ``server`` is by default the one of
    this machine.
    """
    files = NodeFiles(settings.data_dir / "rabbitmq")
    node = EmbeddedNode(files.folder, server=server, say=say)
    used = files.used
    if new and not used:  # somebody has moved it away already
        await _give_up_broker(settings)
    try:
        await node.start()
    except OtherVersionsData as exc:
        if not new:
            raise OtherVersionsData(
                f"{exc}. `coordinator up --new-broker` moves its folder aside and puts the queued"
                " tasks of the ledger on a new node; docs/operations/upgrades.md says what to do first"
            ) from exc
        files.give_up()
        await _give_up_broker(settings)
        aside = files.set_aside(now())
        say(f"the folder of the old RabbitMQ node is kept: {aside}")
        await node.start()
    else:
        if new and used:
            await node.stop()
            raise OperatorError(
                f"The private RabbitMQ node of {files.folder} starts: no new one is needed, start"
                " without --new-broker"
            )
        if files.given_up:
            await _take_up_broker(settings)
            files.keep()
            say("this RabbitMQ node had been given up, and is used again")
    return node


async def _give_up_broker(settings: Settings) -> None:
    async with Ledger(settings.ledger_place, patient=True) as ledger:
        await FormerBrokerTasks(ledger).give_up_broker()


async def _take_up_broker(settings: Settings) -> None:
    async with Ledger(settings.ledger_place, patient=True) as ledger:
        await FormerBrokerTasks(ledger).done()
