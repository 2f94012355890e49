"""What may be a handler, as far as that can be seen where it is declared."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from consumers import Agent, Task
from consumers.handler_table import Handler
from consumers.testing import run_task


def generator(task: Task) -> Iterator[int]:
    yield 1


async def async_generator(task: Task) -> AsyncIterator[int]:
    yield 1


async def coroutine(task: Task) -> str:
    return "done"


def plain(task: Task) -> str:
    return "done"


class Yields:
    def __call__(self, task: Task) -> Iterator[int]:
        yield 1

    async def later(self, task: Task) -> AsyncIterator[int]:
        yield 1


class Awaits:
    async def __call__(self, task: Task) -> str:
        return "done"


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def gathered(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return list(function(*args))

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        generator,
        async_generator,
        Yields(),
        Yields().later,
        functools.partial(generator),
        functools.partial(functools.partial(async_generator)),
        functools.partial(Yields()),
        staticmethod(generator),
        lambda task: (yield),
    ],
)
def test_a_handler_that_yields_is_refused_with_what_to_do(function: Any) -> None:
    agent = Agent("a")
    for declare in (agent.default, agent.task("steps")):
        with pytest.raises(TypeError, match="return a list; to tell of steps"):
            declare(function)
    assert agent.handlers.find("steps") is None


@pytest.mark.parametrize("nothing", [None, 7, "name", coroutine.__code__])
def test_what_cannot_be_called_is_no_handler(nothing: Any) -> None:
    with pytest.raises(TypeError, match="a handler is a function"):
        Agent("a").default(nothing)


@pytest.mark.parametrize(
    ("function", "asynchronous"),
    [
        (coroutine, True),
        (Awaits(), True),
        (functools.partial(coroutine), True),
        (functools.partial(Awaits()), True),
        (staticmethod(coroutine), True),
        (plain, False),
        (functools.partial(plain), False),
    ],
)
async def test_coroutines_are_known_in_every_form(function: Any, asynchronous: bool) -> None:
    assert Handler.of(function).asynchronous is asynchronous
    assert (await run_task(function)).result == "done"


async def test_a_decorator_may_make_a_list_of_what_is_yielded() -> None:
    """What a decorator returns cannot be seen: the result is judged."""
    assert (await run_task(gathered(generator))).result == [1]
    for function in (generator, async_generator):
        assert (await run_task(wrapped(function))).error.type == "ResultNotJson"
    assert "async def" in (await run_task(wrapped(coroutine))).error.message
