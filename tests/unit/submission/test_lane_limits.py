"""How many lanes may be open, of each kind, and what is said where there are as many."""

from __future__ import annotations

import pytest

from coordinator.errors import TooManyLanes, TooManyRequests
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.requirements import Requirements
from coordinator.submission.lane_limits import LaneLimits, check_room, check_share

LIMITS = LaneLimits(lanes=4, unserved=2, absent_agents=2)


def able(name: str) -> Requirements:
    return Requirements(capabilities=(name,))


def agent(agent_id: str) -> Requirements:
    return Requirements(agent_id=agent_id)


def check(
    wanted: Requirements,
    *others: Requirements,
    unserved: tuple[Requirements, ...] = (),
    limits: LaneLimits = LIMITS,
) -> None:
    check_room(
        lane_name(wanted),
        wanted,
        others={lane_name(one): one for one in others},
        unserved={lane_name(one) for one in unserved},
        limits=limits,
    )


def test_lanes_that_nobody_serves_close_none_to_others() -> None:
    typos = able("gup"), able("pgu")
    with pytest.raises(TooManyLanes, match="no agent ever registered, which is the limit"):
        check(able("ugp"), *typos, unserved=(*typos, able("ugp")))
    check(able("gpu"), *typos, able("a"), able("b"), able("c"), unserved=typos)


def test_lanes_that_are_served_have_the_limit_to_themselves() -> None:
    served = [able(name) for name in "abcd"]
    with pytest.raises(TooManyLanes, match="COORDINATOR_MAX_LANES"):
        check(able("e"), *served)
    check(able("gup"), *served, unserved=(able("gup"),))


def test_no_more_lanes_wait_for_nobody_than_there_may_be_at_all() -> None:
    few = LaneLimits(lanes=1, unserved=50)
    with pytest.raises(TooManyLanes, match="1 different combinations"):
        check(able("b"), able("a"), unserved=(able("a"), able("b")), limits=few)


def test_agents_that_never_registered_have_few_queues_and_those_that_did_as_many_as_they_are() -> (
    None
):
    absent = agent("one"), agent("two")
    with pytest.raises(TooManyLanes, match="2 agents that never registered"):
        check(agent("three"), *absent, unserved=(*absent, agent("three")))
    check(agent("four"), *absent, *(agent(f"known-{n}") for n in range(99)), unserved=absent)


@pytest.mark.parametrize("wanted", [Requirements(), able("gup"), agent("one")])
def test_what_is_open_already_and_the_lane_open_to_all_are_never_refused(
    wanted: Requirements,
) -> None:
    none = LaneLimits(lanes=1, unserved=1, absent_agents=1)
    others = able("gup"), able("pgu"), agent("one"), agent("two")
    check(wanted, *others, unserved=others, limits=none)


def test_a_caller_has_as_many_lanes_as_it_may_and_without_a_limit_any() -> None:
    check_share({"a", "b", "c"}, LaneLimits())
    check_share({"a"}, LaneLimits(per_caller=2))
    with pytest.raises(TooManyRequests, match="COORDINATOR_MAX_CALLERS_LANES"):
        check_share({"a", "b"}, LaneLimits(per_caller=2))
