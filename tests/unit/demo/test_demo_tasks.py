"""The tasks that the demo submits."""

from __future__ import annotations

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


def test_a_batch_of_nothing_is_empty() -> None:
    def impossible(_: Requirements) -> bool:
        return False

    assert mixed_batch(10, impossible) == []
    assert mixed_batch(0, lambda _: True) == []
