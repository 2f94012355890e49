"""The arithmetic of docs/operations/scale.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.capacity_model import MEASURED, Load, needs, table

PAGE = Path(__file__).parents[3] / "docs/operations/scale.md"


def test_a_task_costs_each_part_what_was_measured() -> None:
    found = needs(Load(1_000, 0, 1))

    assert found.serving == pytest.approx(1_000 * MEASURED.serve)
    assert found.projecting == pytest.approx(3 * 1_000 * MEASURED.project)
    assert found.database == pytest.approx(3 * 1_000 * MEASURED.database)
    assert found.broker == pytest.approx(1_000 * (MEASURED.submit + MEASURED.deliver))
    assert found.rows == 4_000
    assert found.disk == pytest.approx(1_000 * MEASURED.stored * 86_400 / 2**30)
    assert found.connections == 3


def test_every_coordinator_hears_every_heartbeat() -> None:
    often = replace(MEASURED, between_beats=1.0)
    one, two = (needs(Load(0, 1_000, number), often) for number in (1, 2))

    assert one.serving == pytest.approx(1_000 * MEASURED.hear)
    assert two.serving == pytest.approx(2 * one.serving)
    assert one.broker < two.broker < 2 * one.broker
    assert two.connections == 2_006


def test_the_page_has_the_table_that_the_model_prints() -> None:
    assert table() in PAGE.read_text()
