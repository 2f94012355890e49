"""The waiting that all other tests rely on."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.waiting import eventually


async def test_the_first_true_answer_is_returned() -> None:
    answers = iter([None, 0, "", "yes", "later"])
    assert await eventually(lambda: next(answers)) == "yes"


async def test_async_functions_are_awaited() -> None:
    answers = iter([False, True])

    async def fact() -> bool:
        await asyncio.sleep(0)
        return next(answers)

    assert await eventually(fact) is True


async def test_past_the_time_the_last_answer_is_told() -> None:
    with pytest.raises(AssertionError, match=r"within 0\.05 s; the last answer was \[\]"):
        await eventually(list, timeout=0.05)


async def test_an_answer_that_never_comes_is_given_up() -> None:
    async def fact() -> bool:
        await asyncio.Event().wait()
        return True

    with pytest.raises(AssertionError, match="never answered"):
        await eventually(fact, timeout=0.05)


async def test_what_the_fact_raises_is_raised_at_once() -> None:
    def fact() -> bool:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await eventually(fact, timeout=5)
