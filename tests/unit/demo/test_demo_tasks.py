"""The tasks that the demo submits."""

from __future__ import annotations

from collections import Counter

from coordinator.demo.demo_tasks import mixed_batch
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements


def test_a_batch_has_all_priorities_and_several_requirement_sets() -> None:
    orders = mixed_batch(40, lambda _: True)

    assert len(orders) == 40
    assert {order.priority for order in orders} == set(Priority)
    assert len({order.work.requirements for order in orders}) >= 6
    assert any(order.work.requirements.empty for order in orders)
    assert any(order.work.requirements.agent_id for order in orders)


def test_the_least_urgent_are_submitted_first() -> None:
    ranks = [order.priority.rank for order in mixed_batch(25, lambda _: True)]

    assert ranks == sorted(ranks, reverse=True)


def test_a_part_waits_for_an_agent_that_does_one_after_the_other_in_each_priority() -> None:
    orders = [
        order
        for order in mixed_batch(40, lambda _: True)
        if order.work.task_data.get("task_type") == "busy"
    ]

    assert len(orders) == 15
    assert Counter(order.priority for order in orders) == dict.fromkeys(Priority, 3)


def test_where_no_agent_does_that_work_the_batch_is_of_the_other_kinds() -> None:
    def possible(requirements: Requirements) -> bool:
        return requirements.task_type != "busy"

    orders = mixed_batch(40, possible)

    assert len(orders) == 40
    assert "busy" not in {order.work.task_data.get("task_type") for order in orders}


def test_a_batch_of_nothing_is_empty() -> None:
    def impossible(_: Requirements) -> bool:
        return False

    assert mixed_batch(10, impossible) == []
    assert mixed_batch(0, lambda _: True) == []
