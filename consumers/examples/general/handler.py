"""The default handler of all example agents.

A task without requirements may come to any agent, so each needs an answer to it. A prompt goes to a
model where one is configured; otherwise the prompt itself is analysed, and the result says so. A
type of work that the agent does not know is refused: a wrong answer would be worse.
"""

from __future__ import annotations

import asyncio
from typing import Any

from consumers import Discard, Task
from consumers.examples.inference.chat import ChatEndpoint, NotConfigured
from consumers.examples.inference.handler import completed

from .answers import about_data, about_prompt

__all__ = ["answer"]


async def answer(task: Task) -> dict[str, Any]:
    if task.type is not None:
        raise Discard(
            f"This agent does not know the task_type {task.type!r}: name requirements, so that the "
            "task goes to an agent that does"
        )
    prompt = task.data.get("prompt")
    if not isinstance(prompt, str):
        return about_data(task.data)
    try:
        endpoint = ChatEndpoint.from_environment()
    except NotConfigured:
        model = task.data.get("model")
        return about_prompt(prompt, model if isinstance(model, str) else None)
    return await asyncio.to_thread(completed, endpoint, task)
