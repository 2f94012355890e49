"""What a handler may return: plain JSON, what becomes it without loss, and nothing else."""

from __future__ import annotations

import asyncio
import enum
import gc
import re
import threading
import uuid
import warnings
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import pydantic
import pytest
from pydantic import BaseModel

from consumers import Agent, Task
from consumers.outcome import completed_with
from consumers.testing import Completed, Failed, run_task
from coordinator.errors import InvalidRequest
from coordinator.protocol.json_values.json_limits import MAX_DEPTH, json_problem

LIMIT = 1024 * 1024


@dataclass
class Point:
    x: Any
    y: Any = 0


class Model(BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    value: Any = None


class Lazy(BaseModel):
    steps: Iterable[int]


class Tagged(BaseModel):
    tags: set[str]
    by_number: dict[int, str]


class Open(BaseModel):
    """Says nothing of what it holds, but for the last three."""

    model_config = pydantic.ConfigDict(extra="allow")
    value: Any = None
    by_name: dict[str, Any] = {}
    some: list[Any] | None = None
    inner: Open | None = None
    inners: list[Open] = []
    told: Annotated[Any, pydantic.PlainSerializer(sorted)] = ()
    joined: Any = ()
    left_out: Any = pydantic.Field(default=None, exclude=True)

    @pydantic.field_serializer("joined")
    def join(self, value: Any) -> str:
        return "+".join(sorted(value))


class Colour(enum.Enum):
    RED = "red"
    ODD = frozenset({1})


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    a: int
    b: int


def endless() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


async def fetch() -> int:
    return 1


async def stream() -> AsyncIterator[int]:
    yield 1


def refused(result: Any) -> str:
    """The sentence with which ``result`` is refused."""
    outcome = completed_with(result, max_bytes=LIMIT)
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.retryable) == ("ResultNotJson", False)
    assert "cannot be told as JSON" in outcome.error.message
    return outcome.error.message


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ((1, [2, (3,)]), [1, [2, [3]]]),
        (Pair(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (Point(1, [Point(2)]), {"x": 1, "y": [{"x": 2, "y": 0}]}),
        (Model(value=[Model()]), {"value": [{"value": None}]}),
        (Tagged(tags={"a"}, by_number={1: "b"}), {"tags": ["a"], "by_number": {"1": "b"}}),
        ([Colour.RED, Level.HIGH], ["red", 3]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        ([date(2026, 1, 2), timedelta(seconds=90)], ["2026-01-02", "PT1M30S"]),
        ([uuid.UUID(int=1), Decimal("1.50"), Path("a/b")], [str(uuid.UUID(int=1)), "1.50", "a/b"]),
        (-0.0, 0.0),
        (2**70, 2**70),
        ("\x00\u2028", "\x00\u2028"),
    ],
)
def test_what_becomes_json_without_loss_is_a_result(result: Any, told: Any) -> None:
    outcome = completed_with(result, max_bytes=LIMIT)
    assert isinstance(outcome, Completed)
    assert outcome.result == told
    assert json_problem(outcome.result) is None


def test_a_set_that_a_model_declares_or_serializes_is_a_result() -> None:
    tagged = Tagged(tags={"a"}, by_number={1: "b"})
    result = Open(told={"b", "a"}, joined={"d", "c"}, left_out={1}, value=tagged)
    outcome = completed_with(result, max_bytes=LIMIT)
    assert isinstance(outcome, Completed)
    assert (outcome.result["told"], outcome.result["joined"]) == (["a", "b"], "c+d")
    assert outcome.result["value"] == {"tags": ["a"], "by_number": {"1": "b"}}
    assert "left_out" not in outcome.result


def test_a_model_may_hold_as_many_values_without_a_type_as_a_result_may() -> None:
    outcome = completed_with(Model(value=[0] * 600_000), max_bytes=2 * LIMIT)
    assert isinstance(outcome, Completed)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({1, 2}, "make a list of it"),
        ({"a": [frozenset()]}, 'at ["a"][0]: frozenset'),
        (b"text", "make a string of it"),
        ({"a": bytearray()}, "bytearray"),
        (memoryview(b"x"), "memoryview"),
        ({1: "a", "1": "b"}, "a key is of the type int"),
        ({None: 1}, "a key is of the type NoneType"),
        ({True: 1}, "a key is of the type bool"),
        ([{1.5: 1}], "at [0]: a key is of the type float"),
        ({(1, 2): 1}, "a key is of the type tuple"),
        ({datetime(2026, 1, 1, tzinfo=UTC): 1}, "a key is of the type datetime"),
        (float("nan"), "out of range"),
        ({"a": {"b": float("inf")}}, "out of range"),
        ([10**400], "out of range"),
        ([10**5000], "out of range"),
        (Point(float("nan")), "at .x: it holds a number that is out of range"),
        (Point({1}), "make a list of it"),
        (Model(value=float("nan")), "out of range"),
        (Model(value={1: "a", "1": "b"}), "a key is of the type int"),
        (Model(value={1}), "at .value: set has no form in JSON"),
        (Model(value=b"text"), "at .value: bytes has no form in JSON"),
        (Model(value={1: "a"}), "at .value: a key is of the type int"),
        (Open(by_name={"a": [frozenset()]}), 'at .by_name["a"][0]: frozenset'),
        (Open(some=[{1}]), "at .some[0]: set"),
        (Open(inner=Open(value={1})), "at .inner.value: set"),
        (Open(inners=[Open(), Open(value=Model(value={1}))]), "at .inners[1].value.value: set"),
        (Open.model_validate({"more": {1}}), "at .more: set"),
        ({"a": Open(value={1})}, 'at ["a"].value: set'),
        (Colour.ODD, "frozenset"),
        (range(3), "use dicts"),
        ({}.keys(), "use dicts"),
        (object(), "use dicts"),
        (Point, "use dicts"),
        ("\ud800", "use dicts"),
        ({"\udfff": 1}, "use dicts"),
        (1j, "make a string of it"),
        ([re.compile("a")], "make a string of it"),
    ],
)
def test_what_would_be_altered_is_refused_with_what_to_do(result: Any, says: str) -> None:
    assert says in refused(result)


@pytest.mark.parametrize(
    "make",
    [
        endless,
        lambda: [endless()],
        lambda: {"steps": {"deep": (endless(),)}},
        lambda: map(str, endless()),
        lambda: filter(None, endless()),
        lambda: zip(endless(), endless(), strict=False),
        lambda: iter([1]),
        stream,
        lambda: Point(endless()),
        lambda: Model(value=endless()),
        lambda: Lazy(steps=endless()),
        lambda: Tagged.model_construct(tags=cast("Any", endless()), by_number={}),
    ],
)
def test_what_computes_while_it_is_told_is_not_begun(make: Callable[[], Any]) -> None:
    """It would run on the event loop: this test would not end."""
    assert "make a list of it; to tell of steps, call task.progress" in refused(make())


@pytest.mark.parametrize(
    "make", [fetch, lambda: [fetch(), fetch()], lambda: {"a": fetch(), "b": [fetch()]}]
)
def test_a_coroutine_is_refused_and_closed_without_a_warning(make: Callable[[], Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert "async def and await it" in refused(make())
        gc.collect()
    assert not caught


async def test_a_future_is_refused() -> None:
    assert "async def and await it" in refused(asyncio.get_running_loop().create_future())


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 199, 5000])
@pytest.mark.parametrize("kind", [list, dict, Point])
def test_a_result_that_a_coordinator_would_refuse_is_refused_here(levels: int, kind: Any) -> None:
    result: Any = 1
    for _ in range(levels):
        result = {"a": result} if kind is dict else [result] if kind is list else Point(result)
    assert "nested deeper than 100 levels" in refused(result)


def test_the_deepest_result_that_is_taken_is_taken_of_any_kind() -> None:
    plain: Any = 1
    points: Any = 1
    for _ in range(MAX_DEPTH):
        plain, points = [plain], Point(points)
    for result in (plain, points):
        assert isinstance(completed_with(result, max_bytes=LIMIT), Completed)


def test_a_result_with_too_many_values_is_refused() -> None:
    shared: Any = [0] * 2000
    assert "more than 1000000 values" in refused([shared] * 2000)
    assert "more than 1000000 values" in refused(Point([shared] * 501))


class Raises:
    """Raises ``what`` wherever it is touched."""

    def __init__(self, what: BaseException) -> None:
        object.__setattr__(self, "_what", what)

    def __getattribute__(self, name: str) -> Any:
        raise object.__getattribute__(self, "_what")

    def __str__(self) -> str:
        raise object.__getattribute__(self, "_what")

    __repr__ = __str__

    def __iter__(self) -> Iterator[Any]:
        raise object.__getattribute__(self, "_what")

    def __len__(self) -> int:
        raise object.__getattribute__(self, "_what")


class Hostile(dict[str, Any]):
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)

    def __iter__(self) -> Iterator[str]:
        raise KeyboardInterrupt


class Costly(BaseModel):
    what: Any = None

    @pydantic.model_serializer
    def serialize(self) -> Any:
        raise self.what


WHAT = [
    ValueError("x"),
    RecursionError(),
    MemoryError(),
    SystemExit(1),
    GeneratorExit(),
    StopIteration(),
]


@pytest.mark.parametrize("what", [*WHAT, KeyboardInterrupt()], ids=repr)
def test_a_result_whose_own_code_raises_is_refused(what: BaseException) -> None:
    for result in (Raises(what), [Raises(what)], Costly(what=what), Point(Raises(what))):
        refused(result)


def test_a_dict_with_methods_of_its_own_is_read_without_them() -> None:
    outcome = completed_with(Hostile(a=1), max_bytes=LIMIT)
    assert isinstance(outcome, Completed | Failed)


async def test_a_result_of_a_plain_function_is_encoded_in_its_thread() -> None:
    threads: list[int] = []

    class Slow(BaseModel):
        @pydantic.model_serializer
        def serialize(self) -> int:
            threads.append(threading.get_ident())
            return 1

    ran = await run_task(lambda task: Slow())
    assert ran.result == 1
    assert threading.get_ident() not in threads


async def test_a_plain_function_that_returns_a_coroutine_is_told_to_await_it() -> None:
    def handler(task: Task) -> Any:
        return fetch()

    assert "declare the handler with async def" in (await run_task(handler)).error.message


@pytest.mark.parametrize(
    "metadata", [{"a": float("nan")}, {1: "a"}, {"a": {2: "b"}}, {"a": {1}}, {"a": b"x"}]
)
def test_metadata_that_a_coordinator_would_alter_is_refused_when_the_agent_is_made(
    metadata: dict[Any, Any],
) -> None:
    with pytest.raises(InvalidRequest, match="metadata cannot be told as JSON") as refusal:
        Agent("a", metadata=metadata)
    assert refusal.value.field == "metadata"


def test_metadata_of_plain_json_is_taken() -> None:
    metadata = {"zone": "b", "weights": [1, 2.5, None]}
    assert Agent("a", metadata=metadata).options.metadata == metadata
