"""The collector while a service starts, and afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from coordinator.commands import gc_tuning


class Knot:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_it_looks_seldom_while_a_service_starts_and_looks_all_the_same() -> None:
    gc_tuning.rest()
    gc.collect()
    knot = ref(Knot())
    made: list[list[object]] = [[] for _ in range(gc_tuning.SELDOM // 2)]
    assert knot() is not None

    made += [[] for _ in range(2 * gc_tuning.SELDOM)]
    assert knot() is None


def test_what_there_is_once_it_has_started_is_passed_over_from_then_on() -> None:
    gc_tuning.rest()
    kept = [object()]

    gc_tuning.resume()

    assert not any(one is kept for one in gc.get_objects())


def test_once_it_has_started_it_looks_now_and_then() -> None:
    gc_tuning.rest()
    gc_tuning.resume()
    knot = ref(Knot())
    made: list[list[object]] = [[] for _ in range(gc_tuning.RUNNING // 2)]
    assert knot() is not None

    made += [[] for _ in range(2 * gc_tuning.RUNNING)]
    assert knot() is None
