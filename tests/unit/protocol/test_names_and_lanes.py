"""Names on the broker: readable, canonical, and never two things under one name."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.protocol.lanes import MAX_LANE, lane_asks, lane_name
from coordinator.protocol.name_encoding import MAX_WORD, encode_word
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

identifiers = st.text(min_size=1, max_size=128)
short = st.text(min_size=1, max_size=8)
wanted = st.builds(
    Requirements,
    agent_type=st.none() | short,
    capabilities=st.lists(short, max_size=4).map(tuple),
    services=st.lists(short, max_size=3).map(tuple),
    agent_id=st.none() | short,
)


@given(identifiers)
def test_a_word_needs_no_escaping_in_a_permission(identifier: str) -> None:
    word = encode_word(identifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", word)
    assert len(word) <= MAX_WORD


@given(identifiers, identifiers)
def test_two_identifiers_never_share_a_word(one: str, other: str) -> None:
    assert (encode_word(one) == encode_word(other)) == (one == other)


@given(
    st.text(alphabet="_aF5", max_size=9).filter(bool),
    st.text(alphabet="_aF5", max_size=9).filter(bool),
)
def test_underscores_and_escapes_are_never_confused(one: str, other: str) -> None:
    assert (encode_word(one) == encode_word(other)) == (one == other)


@pytest.mark.parametrize(
    ("identifier", "word"),
    [
        ("hermes-agent", "hermes-agent"),
        ("agent_7", "agent_7"),
        ("a b", "a__20b"),
        ("a.b", "a__2Eb"),
        ("trailing_", "trailing__5F"),
        ("é", "__C3__A9"),
    ],
)
def test_common_identifiers_stay_readable(identifier: str, word: str) -> None:
    assert encode_word(identifier) == word


@given(wanted, wanted)
def test_two_requirement_sets_share_a_lane_only_if_they_are_equal(
    one: Requirements, other: Requirements
) -> None:
    assert (lane_name(one) == lane_name(other)) == (one == other)


@given(wanted)
def test_a_lane_is_one_word_of_a_routing_key_and_short_enough_for_a_queue(
    requirements: Requirements,
) -> None:
    lane = lane_name(requirements, long=True)
    assert set(lane) <= set(string.ascii_letters + string.digits + "-_:+")  # drivers check names
    assert len(lane) <= MAX_LANE + len(":long")
    source = TaskQueue(lane, Priority.URGENT)
    assert len(source.queue.encode()) <= 255
    assert TaskQueue.from_key(source.key) == source


def test_order_and_repetition_do_not_matter() -> None:
    one = Requirements(capabilities=("gpu", "analysis", "gpu"), agent_type="worker")
    other = Requirements(capabilities=("analysis", "gpu"), agent_type="worker")
    assert lane_name(one) == lane_name(other) == "type:worker+cap:analysis+cap:gpu"


few = st.sampled_from(["a", "b", "h0", "é"])
alike = st.builds(
    Requirements,
    agent_type=st.none() | few,
    capabilities=st.lists(few | st.just("x" * 60), max_size=4).map(tuple),
    services=st.lists(few, max_size=2).map(tuple),
)


@given(alike, alike, st.booleans())
def test_the_name_of_a_lane_tells_what_its_tasks_ask_for_unless_it_is_too_long(
    lane: Requirements, part: Requirements, long: bool
) -> None:
    told = lane_asks(lane_name(lane, long=long), part)
    if told is None:
        assert len(lane_name(lane)) == MAX_LANE
        return
    assert told == (
        part.agent_type in (None, lane.agent_type)
        and set(part.capabilities) <= set(lane.capabilities)
        and set(part.services) <= set(lane.services)
    )


def test_no_requirements_mean_the_open_lane() -> None:
    assert TaskQueue(lane_name(Requirements()), Priority.LOW).queue == "tasks.any.low"


@pytest.mark.parametrize("key", ["", "low", "any.", ".low", "any.sometimes", "any"])
def test_what_is_not_a_tasks_routing_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TaskQueue.from_key(key)


@given(wanted)
def test_requirements_survive_the_wire(requirements: Requirements) -> None:
    assert Requirements.from_dict(requirements.as_dict()) == requirements


@given(wanted)
def test_whoever_has_all_that_is_asked_for_satisfies(requirements: Requirements) -> None:
    profile = Profile(
        agent_id=requirements.agent_id or "a",
        agent_type=requirements.agent_type or "worker",
        capabilities=frozenset(requirements.capabilities) | {"more"},
        services=frozenset(requirements.services),
    )
    assert profile.satisfies(requirements)


@pytest.mark.parametrize(
    "requirements",
    [
        Requirements(agent_type="provider"),
        Requirements(capabilities=("gpu",)),
        Requirements(services=("search",)),
        Requirements(agent_id="another"),
        Requirements(capabilities=("analysis", "gpu")),
    ],
)
def test_whoever_lacks_one_thing_does_not_satisfy(requirements: Requirements) -> None:
    profile = Profile(agent_id="a", agent_type="worker", capabilities=frozenset({"analysis"}))
    assert not profile.satisfies(requirements)
