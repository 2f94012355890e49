"""The generalist takes whatever comes without requirements, such as a bare prompt."""

from __future__ import annotations

from consumers import Agent

from .handler import answer

agent = Agent(
    "generalist",
    agent_type="general",
    capabilities=["prompts"],
    services=["task-execution"],
    slots=4,
    tags=["example"],
)

agent.default(answer)
