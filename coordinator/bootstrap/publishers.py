"""Makes the confirmed publisher's users that declare queues, command agents, mark the log and tell ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coordinator.broker.publisher import Publisher
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.ids import new_id
from coordinator.registry.feed.follow_request import FollowRequest
from coordinator.registry.feed.growth_broadcast import GrowthBroadcast
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.read_barrier import ReadBarrier
from coordinator.registry.projection.task_end_broadcast import TaskEndBroadcast
from coordinator.registry.upkeep.unserved_lanes import UnservedLanes
from coordinator.submission.lane_limits import LaneLimits
from coordinator.submission.queue_opener import QueueOpener

from .readiness import can_submit

__all__ = ["Publishers", "make_publishers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishers:
    """Holds what publishes for other stages."""

    publisher: Publisher
    opener: QueueOpener
    commands: CommandSender
    ends: TaskEndBroadcast
    growth: GrowthBroadcast
    follow: FollowRequest
    barrier: ReadBarrier

    def ready(self) -> bool:
        """Whether a task could be published now."""
        return can_submit(opened=self.opener.ready, available=self.publisher.available)


def make_publishers(
    publisher: Publisher,
    *,
    process: str,
    book: TaskQueues,
    limits: LaneLimits,
    unserved: UnservedLanes,
    why_not: Callable[[], str | None],
) -> Publishers:
    """``process`` names this one among the coordinators. ``limits`` say how many lanes may be open at a time,
    and ``unserved`` which are nobody's; ``why_not`` tells why none can be opened now.
    """
    # Containers may have the same host name, and the same process id in it.
    follower = f"{process}.{new_id()[-6:]}"
    return Publishers(
        publisher=publisher,
        opener=QueueOpener(
            book=book, publisher=publisher, limits=limits, unserved=unserved, why_not=why_not
        ),
        commands=CommandSender(publisher),
        ends=TaskEndBroadcast(publisher),
        growth=GrowthBroadcast(publisher, process=follower),
        follow=FollowRequest(publisher, process=follower),
        barrier=ReadBarrier(publisher),
    )
