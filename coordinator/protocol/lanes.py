"""Names the lane of a set of requirements: the queues for it, one per priority.

any                                    no requirements, and no type that an agent has announced
task:keywords                          tasks of this type
type:worker                            a worker
type:worker+cap:analysis+cap:gpu       a worker with both capabilities
task:train+cap:gpu                     tasks of this type, for an agent with the capability
agent:hermes-agent                     this agent only
any:long                               tasks that may hold their message for longer than
`LONG_AFTER`
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from .name_encoding import encode_word
from .requirements import Requirements

__all__ = ["LONG_AFTER", "OPEN_LANE", "lane_asks", "lane_name", "lane_serves"]

OPEN_LANE = "any"
"""The lane of tasks without requirements, not even a type that an agent has announced."""

LONG_AFTER = timedelta(minutes=10)
"""A task with a longer `timeout_seconds` goes to the lane's long queues: a message held for hours
blocks the truncation of its queue's log on RabbitMQ up to 4.2, so it must not share one."""

REMEMBERED_LANES = 4096
"""Names that are kept: each task has its lane named, and there may be some hundred of them."""

MAX_LANE = 160
"""Characters; a longer name keeps its beginning and ends in a hash."""


@lru_cache(REMEMBERED_LANES)
def lane_name(requirements: Requirements, *, long: bool = False) -> str:
    """The canonical name of the lane for these requirements: one word of a routing key.

    Only characters that drivers accept in the name of a queue: `=` and `~`, for two, are refused.
    """
    name = "+".join(_parts(requirements)) or OPEN_LANE
    if len(name) > MAX_LANE:
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        name = f"{name[: MAX_LANE - 34]}:h{digest}"
    return f"{name}{_LONG}" if long else name


_LONG = ":long"


def lane_serves(lane: str, requirements: Requirements) -> bool:
    """Whether ``lane`` is that of these requirements, the long one or the other."""
    return lane in (lane_name(requirements), lane_name(requirements, long=True))


def lane_asks(lane: str, requirements: Requirements) -> bool | None:
    """Whether the tasks of this lane ask for all of ``requirements``, and maybe more; None where its
    name may be too long to hold everything.
    """
    name = lane.removesuffix(_LONG)
    if len(name) >= MAX_LANE:
        return None
    return set(_parts(requirements)).issubset(name.split("+"))


def _parts(requirements: Requirements) -> Iterator[str]:
    if requirements.agent_id:
        yield f"agent:{encode_word(requirements.agent_id)}"
    if requirements.task_type:
        yield f"task:{encode_word(requirements.task_type)}"
    if requirements.agent_type:
        yield f"type:{encode_word(requirements.agent_type)}"
    yield from (f"cap:{encode_word(capability)}" for capability in requirements.capabilities)
    yield from (f"svc:{encode_word(service)}" for service in requirements.services)
