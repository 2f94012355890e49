"""A task that may have crashed other agents runs alone at first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from consumers._working.crash_probation import CrashProbation
from tests.unit.consumers.working.in_hand import attempt


async def test_others_wait_until_the_suspect_has_lived_long_enough() -> None:
    over = asyncio.Event()
    probation = CrashProbation(timedelta(seconds=0.01), on_end=over.set)
    probation.begin(attempt(1))
    assert probation.active
    await asyncio.wait_for(over.wait(), 20)
    assert not probation.active


async def test_others_wait_until_the_suspect_is_settled_and_no_other() -> None:
    ends: list[int] = []
    probation = CrashProbation(timedelta(hours=1), on_end=lambda: ends.append(1))
    suspect = attempt(1)
    probation.begin(suspect)
    probation.end(attempt(1))
    assert (probation.active, ends) == (True, [])
    probation.end(suspect)
    probation.end(suspect)
    assert (probation.active, ends) == (False, [1])
