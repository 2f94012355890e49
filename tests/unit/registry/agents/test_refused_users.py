"""Requests that were refused since a user is not the agent's, as `/health` tells of them."""

from __future__ import annotations

from coordinator.registry.agents.refused_users import LATELY, MOST, NAMED, RefusedUsers


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_each_user_is_told_with_how_often_and_with_what_would_put_it_right() -> None:
    refused = RefusedUsers()
    assert refused.problems() == []
    assert refused.note("ada b", "team-a")
    assert not refused.note("ada b", "team-a")
    assert refused.note("ada b", None)
    [told] = refused.problems()
    assert told.startswith("3 requests of agents were refused within the last hour: ")
    assert "the user 'team-a' asked 2 times for the agent 'ada b'" in told
    assert "`coordinator agents add 'ada b' --user team-a` enters it" in told
    assert "a message that names no user (user_id) asked for the agent 'ada b'" in told


def test_after_an_hour_it_is_forgotten_and_news_again() -> None:
    clock = Clock()
    refused = RefusedUsers(monotonic=clock)
    refused.note("ada", "eve")
    clock.seconds += LATELY + 1
    assert refused.problems() == []
    assert refused.note("ada", "eve")


def test_a_flood_is_bounded() -> None:
    refused = RefusedUsers()
    for number in range(MOST + 10):
        refused.note("a" * 1000, f"user-{number}")
    [told] = refused.problems()
    assert f"and {MOST - NAMED} others" in told
    assert len(told) < 3000
