"""Lists of what is large: each answer has a bound, and others are served while it is made."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from coordinator.api.list_answer import MOST_BYTES

from .fakes import Fakes, an_agent, over

LARGE = {"about": "x" * 16_000}

ASKED: list[tuple[str, str]] = [("POST", "/agents/discover"), ("GET", "/agents?limit=200")]


def fleet(count: int, metadata: dict[str, Any]) -> Fakes:
    fakes = Fakes()
    for number in range(count):
        agent_id = f"agent-{number:04}"
        fakes.agents[agent_id] = an_agent(agent_id=agent_id, metadata=metadata)
    return fakes


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_a_small_fleet_is_answered_whole(method: str, path: str) -> None:
    async with over(fleet(20, LARGE).app()) as http:
        told = (await http.request(method, path)).json()
    assert [agent["agent_id"] for agent in told["agents"]] == [f"agent-{n:04}" for n in range(20)]
    assert told["agents"][0]["metadata"] == LARGE
    assert (told["status"], told["count"]) == ("success", 20)
    assert told.get("next_cursor") is None
    assert "total" not in told or told["total"] == 20


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_no_fleet_is_an_empty_list(method: str, path: str) -> None:
    async with over(Fakes().app()) as http:
        told = (await http.request(method, path)).json()
    assert (told["agents"], told["count"]) == ([], 0)


async def test_a_large_fleet_is_found_in_part_and_the_answer_says_of_how_many() -> None:
    async with over(fleet(600, LARGE).app()) as http:
        answer = await http.post("/agents/discover", json={})
        few = (await http.post("/agents/discover", json={"limit": 3})).json()
    told = answer.json()
    assert len(answer.content) < MOST_BYTES + 20_000
    assert (told["count"], told["total"]) == (len(told["agents"]), 600)
    assert 200 < told["count"] < 300
    assert (few["count"], few["total"]) == (3, 600)


async def test_a_page_of_a_large_fleet_ends_where_the_next_one_begins() -> None:
    async with over(fleet(600, LARGE).app()) as http:
        told = (await http.get("/agents", params={"limit": 200})).json()
        assert told["count"] == len(told["agents"]) < 600
        assert told["total"] == 600
        further = await http.get("/agents", params={"cursor": told["next_cursor"]})
        assert further.status_code == 200
    last = told["agents"][-1]["agent_id"]
    assert 200 < told["count"] < 300
    assert last == f"agent-{told['count'] - 1:04}"


async def test_one_that_alone_is_larger_than_an_answer_is_told_all_the_same() -> None:
    async with over(fleet(2, {"about": "x" * MOST_BYTES}).app()) as http:
        told = (await http.post("/agents/discover")).json()
    assert (told["count"], told["total"]) == (1, 2)


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_others_have_their_turn_while_a_large_answer_is_made(method: str, path: str) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def ask(http: httpx.AsyncClient) -> None:
        assert (await http.request(method, path)).status_code == 200

    async with over(fleet(600, LARGE).app()) as http:
        await ask(http)
        waiting = asyncio.create_task(others())
        async with over(Fakes().app()) as small:
            await ask(small)
        before, turns = turns, 0
        await ask(http)
        waiting.cancel()
    assert turns >= before + 40, "one for each 64 KiB of about 4 MiB, and what any request has"
