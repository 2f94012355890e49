"""Finds the policies that RabbitMQ applies to a queue, of all that match its name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from coordinator.doctor.facts.fact_types import Policy

__all__ = ["applying"]


def applying(
    policies: Iterable[Policy],
    queue: str,
    *,
    kind: Literal["quorum_queues", "classic_queues"] = "quorum_queues",
) -> list[Policy]:
    """Of the policies that match, the one that RabbitMQ applies, and the operator policy that it
    merges in. ``kind`` is the queue's.
    """
    chosen: list[Policy] = []
    for operator in (False, True):
        matching = [
            one
            for one in policies
            if one.operator is operator
            and one.apply_to in {"all", "queues", kind}
            and _matches(one.pattern, queue)
        ]
        if matching:
            chosen.append(max(matching, key=lambda one: one.priority))
    return chosen


def _matches(pattern: str, queue: str) -> bool:
    try:
        return re.search(pattern, queue) is not None
    except re.error:  # Erlang's expressions are richer
        return False
