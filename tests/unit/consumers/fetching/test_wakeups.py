from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from consumers._fetching.wakeups import Wakeups


async def test_a_loop_that_waits_in_good_order_is_alive_and_one_that_is_late_is_not() -> None:
    executor: Any = SimpleNamespace(changed=asyncio.Event())
    wakeups, now = Wakeups(cast("Any", executor)), 0.0
    wakeups.now = lambda: now
    wakeups.turn()
    waiting = asyncio.create_task(wakeups.change(60))
    await asyncio.sleep(0)

    now = 50.0
    assert wakeups.last_turn == 50.0
    now = 100.0
    assert wakeups.last_turn == 60.0

    executor.changed.set()
    await waiting
    now = 200.0
    assert wakeups.last_turn == 60.0, "what it does after the wait is no wait"
