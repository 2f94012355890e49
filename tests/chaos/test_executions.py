"""The accounting of executions itself: what it explains, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.errors import BrokerUnavailable, OutcomeUnknown
from tests.chaos.executions import Execution, Record, explained
from tests.chaos.faults import Injected
from tests.chaos.outputs import unanswered_publishes
from tests.chaos.table import longest_gap


def run(began: float, settled: float | None, agent: str = "ada") -> Execution:
    return Execution(number=1, agent=agent, began=began, ended=settled, settled=settled)


def fault(began: float, ended: float, *agents: str) -> Injected:
    return Injected("killed", "ada", frozenset(agents or ("ada",)), began=began, ended=ended)


def test_one_execution_needs_no_explanation() -> None:
    assert explained([run(0, 1)], due=1, unknown=0, faults=[]) == []


def test_an_execution_too_many_is_explained_by_no_fault_or_by_one_that_came_too_late() -> None:
    twice = [run(100, 101), run(130, 131)]
    assert explained(twice, due=1, unknown=0, faults=[]) is None
    assert explained(twice, due=1, unknown=0, faults=[fault(120, 121)]) is None


def test_a_fault_of_the_agent_that_had_it_in_hand_explains_one_more() -> None:
    killed = fault(100.5, 101)
    assert explained([run(100, None), run(102, 103)], due=1, unknown=0, faults=[killed]) == [killed]


def test_a_fault_of_another_agent_explains_nothing() -> None:
    twice = [run(100, 101), run(102, 103, "bob")]
    assert explained(twice, due=1, unknown=0, faults=[fault(100.5, 101, "bob")]) is None


def test_an_agent_that_wakes_up_with_a_task_that_another_did_meanwhile_explains_one_more() -> None:
    asleep = fault(95, 110, "bob")
    twice = [run(100, 101), run(110.5, 111, "bob")]
    assert explained(twice, due=1, unknown=0, faults=[asleep]) == [asleep]
    assert explained([run(90, 91), twice[1]], due=1, unknown=0, faults=[asleep]) is None


def test_one_fault_explains_only_one_more_of_a_task() -> None:
    thrice = [run(100, None), run(130, 131), run(132, 133)]
    assert explained(thrice, due=1, unknown=0, faults=[fault(100, 101)]) is None


def test_retries_are_due_and_unknown_answers_explain_one_more_each() -> None:
    thrice = [run(100, 101), run(102, 103), run(104, 105)]
    assert explained(thrice, due=3, unknown=0, faults=[]) == []
    assert explained(thrice, due=2, unknown=1, faults=[]) == [None]
    assert explained(thrice, due=1, unknown=1, faults=[]) is None


def test_the_record_follows_the_file_line_by_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "executions"
    record = Record(path)
    record.read()
    path.write_text("1.5 ada 7 began t-1 1 42\n2.5 ada 7 ended t-1 1 42\n3.5 ada 7 set")
    record.read()
    with path.open("a") as file:
        file.write("tled t-1 1 42\n4.0 ada 7 settled never-started 3 43\n")
    record.read()
    assert dict(record.by_task) == {"t-1": [Execution(42, "ada", 1.5, 2.5, 3.5)]}
    assert record.ends == [2.5]


@pytest.mark.parametrize(
    ("began", "ended", "gap"), [(0, 1, 1), (2, 3, 7), (5, 6, 7), (9, 10, 7), (9.5, 12, 1.5)]
)
def test_the_longest_gap_touches_the_fault(began: float, ended: float, gap: float) -> None:
    assert longest_gap([0, 1, 2, 9, 10.5], began, ended) == gap


def test_a_publish_that_nobody_answered_is_told_by_the_coordinator(tmp_path: Path) -> None:
    """In the very words of `recovery.outbox_publisher` and `errors.OutcomeUnknown`."""
    output = tmp_path / "north.1.out"
    head = "18:18:22 INFO    recovery.outbox: an attempt is not published yet  task_id="
    output.write_text(
        f"{head}a  why={OutcomeUnknown()}\n"
        f"{head}b  why=The connection was lost before the broker answered: it hung up\n"
        f"{head}a  why={OutcomeUnknown()}\n"
        f"{head}c  why={BrokerUnavailable()}\n"
        "listening on http://127.0.0.1:1\n"
    )

    assert unanswered_publishes(tmp_path, ["north", "south"]) == {"a": 2, "b": 1}
