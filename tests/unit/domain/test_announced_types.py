import asyncio

import pytest

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.protocol.requirements import Profile, Requirements
from tests.unit.domain.histories import message

GPU = Requirements(capabilities=("gpu",))


def test_a_type_that_nobody_announced_is_no_requirement() -> None:
    types = AnnouncedTypes(["keywords"])
    assert types.routed(GPU, "keyword") == GPU
    assert types.routed(GPU, None) == GPU
    assert types.routed(GPU, "keywords") == Requirements(
        capabilities=("gpu",), task_type="keywords"
    )


def test_a_fresh_type_is_one_once_it_is_settled() -> None:
    types = AnnouncedTypes()
    types.hear(["keywords", "any"])
    types.hear(None)
    assert types.fresh == {"keywords"}
    assert ("keywords" in types, "any" in types) == (True, False)
    assert types.routed(GPU, "keywords") == GPU
    types.settle(["keywords"])
    assert (sorted(types.fresh), sorted(types.all)) == ([], ["keywords"])
    assert types.routed(GPU, "keywords").task_type == "keywords"


async def test_whoever_waits_for_a_fresh_type_is_woken() -> None:
    types = AnnouncedTypes(["old"])
    waiting = asyncio.create_task(types.any_fresh())
    types.hear(["old", "any"])
    await asyncio.sleep(0)
    assert not waiting.done()
    types.hear(["new"])
    await waiting


def test_a_message_is_routed_by_what_is_announced_now() -> None:
    types = AnnouncedTypes(["no-op"])
    routed = types.route(message())
    assert routed.source.lane == "task:no-op"
    assert types.route(routed) is routed
    other = routed.model_copy(update={"task_data": {"task_type": "other"}})
    assert types.route(other).source.lane == "any"


@pytest.mark.parametrize(
    ("task_types", "does"),
    [
        (None, [None, "keywords", "other"]),
        (["keywords"], ["keywords"]),
        (["any"], [None]),
        (["keywords", "any"], [None, "keywords"]),
        ([], []),
    ],
)
def test_an_agent_does_what_it_announces(
    task_types: list[str] | None, does: list[str | None]
) -> None:
    profile = Profile(
        agent_id="ada",
        agent_type="worker",
        task_types=None if task_types is None else frozenset(task_types),
    )
    wanted = [Requirements(task_type=one) for one in (None, "keywords", "other")]
    assert [one.task_type for one in wanted if profile.satisfies(one)] == does
