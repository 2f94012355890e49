"""A handler that declares a pydantic model, with a coordinator: what does not fit is dead at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.support.broker import Broker
from tests.support.serving import serving

pytestmark = pytest.mark.any_broker


class Order(BaseModel):
    items: list[str]


class Bill(BaseModel):
    lines: int


async def test_a_task_that_does_not_fit_is_dead_after_one_attempt_and_one_that_fits_is_done(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.task("bill")
        def bill(order: Order) -> Bill:
            return Bill(lines=len(order.items))

        async with agent.running() as life:
            await life.registered()
            wrong = await service.submit(task_data={"task_type": "bill", "items": "tea"})
            right = await service.submit(task_data={"task_type": "bill", "items": ["tea"]})
            dead, done = await service.ends(wrong), await service.ends(right)
    assert (dead["state"], dead["error"]["type"]) == ("dead", "TaskDataMismatch")
    assert dead["error"]["message"] == "task_data is no Order: items: Input should be a valid array"
    assert dead["attempt"] == 1
    assert dead["max_attempts"] == 3
    assert (done["state"], done["result"]) == ("completed", {"lines": 1})
