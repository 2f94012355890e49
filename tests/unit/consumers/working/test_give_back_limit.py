"""How often a busy agent may return a message to its queue."""

from __future__ import annotations

from consumers._working.give_back_limit import GIVE_BACKS, may_be_given_back


def test_a_message_that_was_twice_in_other_hands_is_kept() -> None:
    assert [may_be_given_back(count) for count in range(4)] == [True, True, False, False]
    assert GIVE_BACKS == 2
