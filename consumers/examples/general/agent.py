"""The generalist answers prompts that come without a type, and refuses what no agent does."""

from __future__ import annotations

from consumers import Agent

from .default_handler import answer

agent = Agent(
    "generalist",
    agent_type="general",
    capabilities=["prompts"],
    services=["task-execution"],
    slots=4,
    tags=["example"],
)

agent.default(answer)
