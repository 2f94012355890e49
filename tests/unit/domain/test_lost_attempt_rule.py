"""The rule by which a running attempt is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coordinator.domain.lost_attempt_rule import Watch, Witness, patience

AFTER, LIMIT = timedelta(minutes=5), timedelta(hours=1)


@pytest.mark.parametrize(
    ("runners", "wanted"),
    [
        ([Witness.DENIES], AFTER),
        ([Witness.GONE], AFTER),
        ([Witness.DENIES, Witness.GONE], AFTER),
        ([Witness.SILENT], AFTER + LIMIT),
        ([Witness.SILENT, Witness.DENIES], AFTER + LIMIT),
        ([Witness.NEVER_NAMES], None),
        ([Witness.NEVER_NAMES, Witness.DENIES], None),
        ([Witness.NEVER_NAMES, Witness.SILENT], None),
    ],
)
def test_who_never_says_what_it_does_is_waited_for_longer(
    runners: list[Witness], wanted: timedelta | None
) -> None:
    assert patience(runners, after=AFTER, time_limit=LIMIT) == wanted


@pytest.mark.parametrize(
    ("looks", "wanted"),
    [
        ([(0, True, 0), (300, True, 0)], 300),
        ([(0, True, 0), (75, True, 0), (300, True, 0)], 300),
        ([(0, True, 0)], 0),
        ([(0, False, 0), (300, False, 0)], None),
        ([(0, False, 0), (75, True, 0), (300, True, 0)], 225),
        # it may have come back to its queue since
        ([(0, True, 0), (300, False, 0)], None),
        ([(0, True, 0), (75, False, 0), (300, True, 0)], 300),
        # what started before it was first looked for shows nothing; what started since does
        ([(0, False, 7), (300, False, 7)], None),
        ([(0, False, 7), (75, False, 8), (300, False, 9)], 225),
        ([(0, False, 7), (75, False, 8), (300, False, 8)], None),
        ([(0, False, 7), (75, False, 8), (300, True, 8)], 225),
    ],
)
def test_it_is_nowhere_from_when_it_was_first_not_on_its_queue_while_that_is_still_so(
    looks: list[tuple[float, bool, int]], wanted: float | None
) -> None:
    watch = Watch()
    now = 0.0
    for now, empty, passed in looks:
        watch = watch.looked(now=now, empty=empty, passed=passed)
    assert watch.lasted(now) == (None if wanted is None else timedelta(seconds=wanted))
