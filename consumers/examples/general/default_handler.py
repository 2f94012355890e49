"""Handles the tasks that are no other agent's, or refuses them with a sentence.

It is given tasks without a type, and those of a type that no agent has announced. A prompt without a
type goes to a model where one is configured; otherwise the prompt itself is analysed, and the result
says so. Anything else is refused with a sentence: who completes what it does not understand hides a
typing error, or takes work from an agent that is only just being started. For the sake of that agent a
task of an unknown type is tried again; a task goes to whoever announces its type in between.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from consumers import Discard, RetryLater, Task
from consumers.examples.inference.chat_endpoint import ChatEndpoint, NotConfigured
from consumers.examples.inference.chat_handler import completed

from .answer_without_model import about_prompt

__all__ = ["answer"]

TIME_TO_START = timedelta(seconds=10)
"""For an agent that knows the type: the pause before each further attempt."""


async def answer(task: Task) -> dict[str, Any]:
    if task.type is not None:
        raise RetryLater(
            f"No agent has announced the task_type {task.type!r}, and this one only answers prompts "
            "that have no type. Correct it (GET /agents tells the task_types of each agent), or start "
            "an agent with a handler for it; POST /tasks/<task_id>/retry tries a dead task again",
            after=TIME_TO_START,
        )
    prompt = task.data.get("prompt")
    if not isinstance(prompt, str):
        raise Discard(
            "This task has no task_type and no prompt, so that nobody can tell what is to be done: "
            "name the type of the work (GET /agents tells the task_types of each agent)"
        )
    try:
        endpoint = ChatEndpoint.from_environment()
    except NotConfigured:
        model = task.data.get("model")
        return about_prompt(prompt, model if isinstance(model, str) else None)
    return await asyncio.to_thread(completed, endpoint, task)
