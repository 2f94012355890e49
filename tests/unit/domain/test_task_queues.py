"""Which sources a kind of agent is offered, and how many lanes count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.task_queues import REMEMBERED_TRAITS, TaskQueues, counts
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

WORDS = st.sampled_from(["a", "b", "c"])
REQUIREMENTS = st.builds(
    Requirements,
    agent_type=st.sampled_from([None, "worker", "monitor"]),
    capabilities=st.lists(WORDS, max_size=2).map(tuple),
    services=st.lists(WORDS, max_size=1).map(tuple),
    agent_id=st.sampled_from([None, None, "one", "two"]),
)
PROFILES = st.builds(
    Profile,
    agent_id=st.sampled_from(["one", "two", "three"]),
    agent_type=st.sampled_from(["worker", "monitor"]),
    capabilities=st.frozensets(WORDS),
    services=st.frozensets(WORDS),
)


def source_of(requirements: Requirements, priority: Priority = Priority.NORMAL) -> TaskQueue:
    return TaskQueue(lane_name(requirements), priority)


@given(
    changes=st.lists(
        st.tuples(st.booleans(), REQUIREMENTS, st.sampled_from(list(Priority))), max_size=20
    ),
    profiles=st.lists(PROFILES, min_size=1, max_size=3),
)
def test_an_offer_is_always_what_a_search_of_all_sources_finds(
    changes: list[tuple[bool, Requirements, Priority]], profiles: list[Profile]
) -> None:
    book = TaskQueues()
    expected: dict[TaskQueue, Requirements] = {}
    for adding, requirements, priority in changes:
        source = source_of(requirements, priority)
        if adding:
            assert book.add(source, requirements) is (source not in expected)
            expected[source] = requirements
        else:
            book.discard(source)
            expected.pop(source, None)
        for profile in profiles:
            offered = book.offered_to(profile)
            assert set(offered) == {s for s, r in expected.items() if profile.satisfies(r)}
            assert [s.priority.rank for s in offered] == sorted(s.priority.rank for s in offered)
            assert book.hash_for(profile) == sources_hash(offered)
    assert set(book.sources()) == set(expected)
    assert len(book) == len(expected)


def test_agents_that_differ_in_what_nobody_asks_for_share_what_is_worked_out() -> None:
    """So that a large fleet, each with a name of its own among its capabilities, costs no search."""
    book = TaskQueues()
    wanted = Requirements(capabilities=("gpu",))
    book.add(source_of(wanted), wanted)
    for number in range(2 * REMEMBERED_TRAITS):
        able = frozenset({"gpu", f"only-{number}"})
        profile = Profile(agent_id=f"agent-{number}", agent_type="worker", capabilities=able)
        assert book.offered_to(profile) == [source_of(wanted)]
    assert len(book._offers) == 1


def test_a_lane_counts_once_however_many_priorities_it_has() -> None:
    book = TaskQueues()
    wanted = Requirements(capabilities=("gpu",))
    for priority in Priority:
        book.add(source_of(wanted, priority), wanted)
    assert book.by_lane() == {lane_name(wanted): wanted}
    assert book.has_lane(lane_name(wanted))


def test_lanes_for_one_agent_and_the_open_lane_do_not_count() -> None:
    for wanted in (Requirements(), Requirements(agent_id="one")):
        assert not counts(wanted)
    assert counts(Requirements(capabilities=("gpu",)))


def test_the_sources_of_one_priority_are_sorted_by_lane() -> None:
    book = TaskQueues()
    for capability in ("b", "a"):
        wanted = Requirements(capabilities=(capability,))
        book.add(source_of(wanted, Priority.LOW), wanted)
        book.add(source_of(wanted, Priority.HIGH), wanted)
    assert [source.key for source in book.sources(Priority.LOW)] == ["cap:a.low", "cap:b.low"]
    assert [source.priority for source in book.sources()][:2] == [Priority.HIGH, Priority.HIGH]


def test_discarding_an_unknown_source_changes_nothing() -> None:
    book = TaskQueues()
    book.discard(TaskQueue("any", Priority.LOW))
    assert book.sources() == []


def test_the_lanes_of_a_caller_are_those_that_its_tasks_opened() -> None:
    book = TaskQueues()
    gpu, cpu = (Requirements(capabilities=(name,)) for name in ("gpu", "cpu"))
    assert book.add(source_of(gpu), gpu, "key:a")
    assert book.add(source_of(gpu, Priority.LOW), gpu)
    assert not book.add(source_of(gpu), gpu, "key:b")
    assert book.add(source_of(cpu), cpu, "key:b")
    assert book.lanes_opened_by("key:a") == {lane_name(gpu)}
    assert (book.opener(source_of(cpu)), book.opener(source_of(gpu, Priority.LOW))) == (
        "key:b",
        None,
    )
    book.discard(source_of(gpu))
    assert book.lanes_opened_by("key:a") == set()
    assert book.lanes_opened_by("key:c") == set()
