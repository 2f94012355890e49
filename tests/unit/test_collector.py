from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from coordinator import collector


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_while_a_service_starts() -> None:
    collector.rest()

    assert not gc.isenabled()


def test_what_there_is_once_it_has_started_is_passed_over_from_then_on() -> None:
    collector.rest()
    kept = [object()]

    collector.resume()

    assert gc.isenabled()
    assert not any(one is kept for one in gc.get_objects())
