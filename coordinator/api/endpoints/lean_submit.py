"""Answers `POST /tasks/submit` without the framework around it: its cost is the cost of a submission.

The framework matches routes, keeps exit stacks, solves dependencies and builds request and response
objects for each request: about half of the CPU of a submission. Here a plain submission is read by the
same models, submit_and_answer by the same function and answered with the same body. Whatever is not plain, or
not valid, is handed to the ordinary endpoint untouched, which answers it or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.api.endpoint_services import EndpointServices
from coordinator.api.error_table import answer_error
from coordinator.api.unknown_body_keys import unknown_keys
from coordinator.api.wire.task_submission import (
    SubmitTaskBody,
    submit_command,
    trace_context,
)

from .task_submission import submit_and_answer

__all__ = ["LeanSubmit"]

PATHS = frozenset({"/tasks/submit", "/v1/tasks/submit"})

ENDPOINT = "submit_task"

_JSON = (b"application/json", b"application/json; charset=utf-8")

_NOT_PLAIN = frozenset({b"idempotency-key", b"transfer-encoding", b"content-encoding", b"expect"})
"""Headers of requests that are for the ordinary endpoint."""


class LeanSubmit:
    """Answers plain submissions, and hands all other requests to ``ordinary``, the whole application."""

    def __init__(self, services: EndpointServices, ordinary: ASGIApp) -> None:
        self._services = services
        self._ordinary = ordinary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = self._plain(scope) if scope["type"] == "http" else None
        if plain is None:
            await self._ordinary(scope, receive, send)
            return
        messages = [await receive()]
        try:
            content = await self._content(messages, receive, plain.length)
            raw = from_json(content, allow_inf_nan=False)
            body = SubmitTaskBody.model_validate(raw)
            wish = submit_command(body, trace_context(plain.traceparent))
            unknown = unknown_keys(raw, SubmitTaskBody)
        except Exception:  # noqa: BLE001 - the ordinary endpoint finds it again, and answers it
            await self._ordinary(scope, _again(messages, receive), send)
            return
        try:
            answer = await submit_and_answer(wish, self._services, unknown)
        except Exception as exc:  # noqa: BLE001 - as every endpoint answers its errors
            await answer_error(exc, ENDPOINT)(scope, receive, send)
            return
        await _send(answer, send)

    async def _content(self, messages: list[Message], receive: Receive, length: int) -> bytes:
        """The whole body; ``messages`` begins with the first part and has all of them afterwards."""
        content: bytes = messages[0].get("body", b"")
        while messages[-1].get("more_body", False) and len(content) <= length:
            messages.append(await receive())
            content += messages[-1].get("body", b"")
        if messages[-1]["type"] != "http.request" or len(content) != length:
            raise ValueError("not a body that can be read here")
        return content

    def _plain(self, scope: Scope) -> _Plain | None:
        """None for a request that is not answered here."""
        if scope["path"] not in PATHS or scope["method"] != "POST" or scope["query_string"]:
            return None
        length = content_type = traceparent = None
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"content-type" and content_type is None:
                content_type = value
            elif name == b"traceparent":
                traceparent = traceparent or value
            elif name in _NOT_PLAIN:
                return None
        if content_type not in _JSON or length is None or not length.isdigit():
            return None
        if int(length) > self._services.max_body_bytes:
            return None
        told = "" if traceparent is None else traceparent.decode("latin-1")
        return _Plain(int(length), told)


class _Plain(NamedTuple):
    """Keeps the head of a request that is answered here."""

    length: int
    """Of the body, in bytes; not too large."""
    traceparent: str
    """Empty for none."""


def _again(messages: list[Message], receive: Receive) -> Callable[[], Awaitable[Message]]:
    """``receive`` from the beginning, for who has received these ``messages`` already."""

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again


async def _send(answer: dict[str, object], send: Send) -> None:
    content = to_json(answer, inf_nan_mode="null")
    headers = [
        (b"content-length", b"%d" % len(content)),
        (b"content-type", b"application/json"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
