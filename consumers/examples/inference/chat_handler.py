"""Makes a completion of a task's prompt, and of the endpoint's errors what the coordinator should do next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from consumers import Discard, RetryLater, Task

from .chat_endpoint import ChatEndpoint, ChatError, ChatUnavailable

__all__ = ["ToldToStop", "chat", "completed", "messages_of"]


EMITTED = 10_000
"""Characters in one chunk at most: an endpoint that does not stream says all at once."""


class ToldToStop(Exception):
    """Ends the reading of an answer that nobody wants any more."""


def chat(task: Task) -> dict[str, Any]:
    """Complete the prompt of a task; a plain function, so that it runs in a thread."""
    try:
        endpoint = ChatEndpoint.from_environment()
    except ChatError as exc:
        raise Discard(str(exc)) from exc
    return completed(endpoint, task)


def completed(endpoint: ChatEndpoint, task: Task) -> dict[str, Any]:
    """Emits each bit of the text as it comes. Raises `RetryLater` where the endpoint is away or busy,
    `Discard` where it refuses.
    """
    model = task.data.get("model")
    parameters = task.data.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Discard("parameters must be an object, such as {'temperature': 0.2}")
    messages = messages_of(task.data)

    def tell(text: str) -> None:
        for start in range(0, len(text), EMITTED):
            task.emit(text[start : start + EMITTED])
        if task.cancelled:
            raise ToldToStop

    task.progress(0.0, "asking the model")
    try:
        answer = endpoint.stream(
            messages,
            on_text=tell,
            model=model if isinstance(model, str) else None,
            parameters=parameters,
        )
    except ChatUnavailable as exc:
        raise RetryLater(str(exc), after=exc.retry_after or timedelta(seconds=5)) from exc
    except ChatError as exc:
        raise Discard(str(exc)) from exc
    return {"answered_by": "model"} | answer


def messages_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """`messages` as they are, else a `system` and a `prompt`. Raises `Discard` without either."""
    messages = data.get("messages")
    if isinstance(messages, list) and messages and all(isinstance(one, dict) for one in messages):
        return messages
    prompt = data.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise Discard("This task needs a prompt (a string) or messages (a list of objects)")
    system = data.get("system")
    before = [{"role": "system", "content": system}] if isinstance(system, str) else []
    return [*before, {"role": "user", "content": prompt}]
