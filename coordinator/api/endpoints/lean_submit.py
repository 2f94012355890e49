"""Answers `POST /tasks/submit`, and `/batch`, without the framework: its cost is the cost of a submission.

The framework matches routes, keeps exit stacks, solves dependencies and builds request and response
objects for each request: about half of the CPU of a submission. Here a plain request is read by the same
models, submitted by the same function and answered with the same body. Whatever is not plain, or
not valid, is handed to the ordinary endpoint untouched, which answers it or says what is wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.access.audit_log import AuditLog
from coordinator.access.roles import Role
from coordinator.api.access_control.audited_answers import audit, batch_facts
from coordinator.api.access_control.batch_cost import spend_batch
from coordinator.api.access_control.caller import address_of, caller_of
from coordinator.api.endpoint_services import EndpointServices
from coordinator.api.error_table import answer_error
from coordinator.api.plain_requests import plain_request, send_json
from coordinator.api.unknown_body_keys import unknown_keys
from coordinator.api.wire.task_batches import BatchBody
from coordinator.api.wire.task_submission import SubmitTaskBody, submit_command
from coordinator.protocol.trace_context import TraceContext

from .task_batches import read_batch, submit_batch_and_answer
from .task_submission import submit_and_answer

__all__ = ["LeanSubmit"]

_Answering = Callable[[], Awaitable[dict[str, Any]]]
"""Submits what was read, and gives the body of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How requests of one path are answered here."""

    endpoint: str
    """Whose errors they end in."""
    max_bytes: int
    read: Callable[[bytes, TraceContext | None, Scope], _Answering]
    """Called with the body, the trace context and the scope. Raises anything for what is not answered
    here."""
    note: Callable[[AuditLog, Scope, dict[str, Any]], None]
    """Called with the audit log, the scope and the body of the answer."""


class LeanSubmit:
    """Answers plain submissions, and hands all other requests to ``ordinary``, the whole application."""

    def __init__(self, services: EndpointServices, ordinary: ASGIApp) -> None:
        self._services = services
        self._ordinary = ordinary
        one = _Way(
            endpoint="submit_task",
            max_bytes=services.max_body_bytes,
            read=self._one,
            note=_note_one,
        )
        many = _Way(
            endpoint="submit_batch",
            max_bytes=services.max_batch_bytes,
            read=self._many,
            note=_note_many,
        )
        self._ways = {
            f"{prefix}{path}": way
            for path, way in (("/tasks/submit", one), ("/tasks/submit/batch", many))
            for prefix in ("", "/v1")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = self._ways.get(scope["path"]) if scope["type"] == "http" else None
        plain = None if way is None else plain_request(scope, receive, max_bytes=way.max_bytes)
        if way is None or plain is None or not caller_of(scope).has(Role.PRODUCER):
            await self._ordinary(scope, receive, send)
            return
        try:
            submit = way.read(await plain.content(), plain.trace, scope)
        except Exception:  # noqa: BLE001 - the ordinary endpoint finds it again, and answers it
            await self._ordinary(scope, plain.again, send)
            return
        try:
            answer = await submit()
        except Exception as exc:  # noqa: BLE001 - as every endpoint answers its errors
            refused = answer_error(exc, way.endpoint)
            audit(self._services.audit, way.endpoint, scope, {}, status=refused.status_code)
            await refused(scope, receive, send)
            return
        if self._services.audit is not None:
            way.note(self._services.audit, scope, answer)
        await send_json(answer, send)

    def _one(self, content: bytes, trace: TraceContext | None, scope: Scope) -> _Answering:
        raw = from_json(content, allow_inf_nan=False)
        wish = submit_command(SubmitTaskBody.model_validate(raw), trace, caller_of(scope).actor)
        unknown = unknown_keys(raw, SubmitTaskBody)
        return lambda: submit_and_answer(wish, self._services, unknown)

    def _many(self, content: bytes, trace: TraceContext | None, scope: Scope) -> _Answering:
        raw = from_json(content, allow_inf_nan=False)
        batch = read_batch(
            BatchBody.model_validate(raw),
            trace,
            caller_of(scope).actor,
            unknown=unknown_keys(raw, BatchBody),
            max_task_bytes=self._services.max_body_bytes,
        )

        async def answer() -> dict[str, Any]:
            spend_batch(self._services.rates, scope, len(batch.tasks))
            return (await submit_batch_and_answer(batch, self._services)).body

        return answer


def _note_one(log: AuditLog, scope: Scope, answer: dict[str, Any]) -> None:
    log.note_submitted(answer["task_id"], actor=caller_of(scope).actor, address=address_of(scope))


def _note_many(log: AuditLog, scope: Scope, answer: dict[str, Any]) -> None:
    audit(log, "submit_batch", scope, batch_facts(answer))
