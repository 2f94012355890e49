"""Lists the example agents as data, so that whoever starts them need not import them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

__all__ = ["FLEET", "Member", "fleet_of", "ready_members"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Describes one agent as `coordinator up` starts it."""

    agent_id: str
    target: str
    """What ``python -m consumers`` runs."""
    summary: str
    agent_type: str
    capabilities: tuple[str, ...]
    services: tuple[str, ...]
    needs: str | None = None
    """A variable of the environment without which it can do nothing."""


FLEET = (
    Member(
        agent_id="generalist",
        target="consumers.examples.general.agent:agent",
        summary="prompts without a task_type",
        agent_type="general",
        capabilities=("prompts",),
        services=("task-execution",),
    ),
    Member(
        agent_id="librarian",
        target="consumers.examples.documents.agent:agent",
        summary="text analysis: word-count, readability, keywords, summary, survey, read-aloud",
        agent_type="worker",
        capabilities=("data-processing", "analysis", "text-analysis"),
        services=("task-execution", "documents"),
    ),
    Member(
        agent_id="archivist",
        target="consumers.examples.files.agent:agent",
        summary="files: checksum, describe, inventory, duplicates",
        agent_type="worker",
        capabilities=("data-processing", "checksums"),
        services=("task-execution", "files"),
    ),
    Member(
        agent_id="inspector",
        target="consumers.examples.machine.agent:agent",
        summary="this machine, one at a time: system-facts, load, busy, memory, disk-space",
        agent_type="monitor",
        capabilities=("system-facts",),
        services=("task-execution",),
    ),
    Member(
        agent_id="interpreter",
        target="consumers.examples.inference.agent:agent",
        summary="chat: prompts for the endpoint in OPENAI_BASE_URL",
        agent_type="inference",
        capabilities=("inference", "chat"),
        services=("chat-completions",),
        needs="OPENAI_BASE_URL",
    ),
)
"""In the order in which they are started: the one with a default handler first, so that a fleet of any
size answers a bare prompt. None is called `hermes-agent`: people register that one themselves, by the
first example of the API."""


def ready_members(environment: Mapping[str, str]) -> list[Member]:
    """Those that lack nothing."""
    return [member for member in FLEET if member.needs is None or environment.get(member.needs)]


def fleet_of(count: int, members: list[Member]) -> list[Member]:
    """``count`` agents; where there are fewer members, the same ones again under other ids."""
    fleet = []
    for number in range(count):
        lap, position = divmod(number, len(members))
        member = members[position]
        fleet.append(replace(member, agent_id=f"{member.agent_id}-{lap + 1}") if lap else member)
    return fleet
