"""Sends prompts to any endpoint that speaks the OpenAI chat protocol.

The endpoint comes from the environment: OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL.
"""

from __future__ import annotations

from consumers import Agent

from .chat_handler import chat

agent = Agent(
    "interpreter",
    agent_type="inference",
    capabilities=["inference", "chat"],
    services=["chat-completions"],
    slots=2,
    tags=["example"],
)

agent.task("chat")(chat)
