"""`POST /agents/discover` and `GET /agents` over HTTP, in fleets of growing size."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from .registry_http import connected
from .registry_ledgers import TEAMS, Contents
from .registry_stage import SQLITE, Service, Stage
from .registry_table import Figure, latencies

__all__ = ["questions"]

PAGE = 100

LONGEST = 5.0
"""Seconds that one question is repeated for in a round."""

Question = tuple[str, str, dict[str, Any] | None, int]
"""What it is called, its path, its body where it is a POST, and how many agents it finds."""


async def questions(stage: Stage) -> list[Figure]:
    figures: list[Figure] = []
    for agents in stage.scale.fleets:
        async with (
            stage.filled(SQLITE, Contents(agents=agents)) as database,
            stage.broker() as amqp_url,
            stage.service(database, amqp_url) as service,
        ):
            found: dict[str, list[list[float]]] = {}
            for _ in range(stage.scale.rounds):
                for question in await _questions(service, agents):
                    seconds = await _ask(service, question, stage.scale.requests)
                    found.setdefault(question[0], []).append(seconds)
        figures += (latencies(f"{what}, {agents} agents", rounds) for what, rounds in found.items())
    return figures


async def _questions(service: Service, agents: int) -> list[Question]:
    """Each once as narrow as clients ask, once as wide as an operator does."""
    team = {"capabilities": [f"team-{agents // TEAMS // 2}"]}
    middle = await _middle(service, agents)
    return [
        ("discover, one team of 10", "/agents/discover", team | {"status": "active"}, TEAMS),
        (
            "discover, three filters, nobody has all",
            "/agents/discover",
            {"agent_type": "worker", "capabilities": ["lane-1"], "status": "active"},
            0,
        ),
        ("GET /agents, first page of 100", f"/agents?limit={PAGE}", None, PAGE),
        (
            "GET /agents, a page of 100 in the middle",
            f"/agents?limit={PAGE}&cursor={quote(middle)}",
            None,
            PAGE,
        ),
        (
            "GET /agents, two wide filters, page of 100",
            f"/agents?limit={PAGE}&status=active&capability=general",
            None,
            PAGE,
        ),
        ("GET /agents/{id}", f"/agents/agent-{agents // 2:06d}", None, 1),
        ("GET /tasks/status", "/tasks/status", None, agents),
    ]


async def _middle(service: Service, agents: int) -> str:
    """The cursor of a page that begins within the fleet."""
    async with connected(service.base_url) as client:
        answer = await client.ask(f"/agents?limit=1&capability=team-{agents // TEAMS // 2}")
        return str(answer["next_cursor"])


async def _ask(service: Service, question: Question, times: int) -> list[float]:
    what, path, body, expected = question
    until = time.perf_counter() + LONGEST
    async with connected(service.base_url) as client:
        for _ in range(times):
            if time.perf_counter() > until:
                break
            answer = await client.ask(path, body)
            if "count" in answer:
                assert answer["count"] == expected, (what, answer["count"])
        return client.seconds
