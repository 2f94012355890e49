"""Writes answers to the audit log: who did what to which task, agent, queue or schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from starlette.types import Scope

from coordinator.access.audit_log import AuditLog
from coordinator.api.json_answer import JsonAnswer

from .caller import address_of, caller_of

__all__ = ["audit_answer", "audit_body"]

_NAMED = (
    *("task_id", "agent_id", "schedule_id", "priority"),
    *("cleared_count", "matched", "redriven", "dry_run", "accepted", "rejected", "unknown"),
)


def audit_answer(endpoint: str, request: Request, answer: Response) -> None:
    """Where the service keeps an audit log."""
    audit: AuditLog | None = request.app.state.services.audit
    if audit is not None:
        body = answer.content if isinstance(answer, JsonAnswer) else None
        facts = {name: request.path_params[name] for name in _NAMED if name in request.path_params}
        _note(audit, endpoint, request.scope, answer.status_code, facts | _facts(body))


def audit_body(
    audit: AuditLog, endpoint: str, scope: Scope, body: Mapping[str, Any], *, status: int = 200
) -> None:
    """As `audit_answer`, of an answer that was made without the framework."""
    _note(audit, endpoint, scope, status, _facts(body))


def _note(
    audit: AuditLog, endpoint: str, scope: Scope, status: int, facts: Mapping[str, Any]
) -> None:
    actor, address = caller_of(scope).actor, address_of(scope)
    audit.note(endpoint, actor=actor, address=address, status=status, **facts)


def _facts(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        return {}
    facts = {name: body[name] for name in _NAMED if name in body}
    schedule = body.get("schedule")
    if isinstance(schedule, dict):
        facts["schedule_id"] = schedule.get("schedule_id")
    results = body.get("results")
    if isinstance(results, list):
        facts["task_ids"] = [one["task_id"] for one in results if "task_id" in one]
    return facts
