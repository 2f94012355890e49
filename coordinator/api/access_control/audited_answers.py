"""Writes answers to the audit log: who did what to which task, agent, queue or schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from starlette.types import Scope

from coordinator.access.audit_log import AuditLog
from coordinator.api.json_answer import JsonAnswer

from .caller import address_of, caller_of

__all__ = ["audit", "audit_answer", "batch_facts"]

_NAMED = (
    *("task_id", "agent_id", "schedule_id", "group_id", "priority", "lane", "new_status"),
    *("cleared_count", "matched", "redriven", "dry_run", "accepted", "rejected", "unknown"),
    *("cancelled", "left"),
)


_BY_FILTER = frozenset({"redrive_dead_tasks", "redrive_callbacks"})
"""What they are done to is told by the filter that was asked for."""


def audit_answer(endpoint: str, request: Request, answer: Response, asked: Any) -> None:
    """Where the service keeps an audit log. ``asked`` is the JSON of the request, None for none."""
    log: AuditLog | None = request.app.state.services.audit
    if log is not None:
        body = answer.content if isinstance(answer, JsonAnswer) else None
        facts = {name: request.path_params[name] for name in _NAMED if name in request.path_params}
        if endpoint in _BY_FILTER and answer.status_code == 200:
            facts["filter"] = {name: asked[name] for name in asked or {} if name != "dry_run"}
        audit(log, endpoint, request.scope, facts | _facts(body), status=answer.status_code)


def audit(
    log: AuditLog | None,
    endpoint: str,
    scope: Scope,
    facts: Mapping[str, Any],
    *,
    status: int = 200,
) -> None:
    """Of an answer that was made without the framework, too."""
    if log is not None:
        actor, address = caller_of(scope).actor, address_of(scope)
        log.note(endpoint, actor=actor, address=address, status=status, facts=facts)


def batch_facts(body: Mapping[str, Any]) -> dict[str, Any]:
    """Of the answer to a batch: how many tasks came to what, and the ids of those that were taken."""
    counts = {name: body[name] for name in ("accepted", "rejected", "unknown")}
    return counts | {"task_ids": [one["task_id"] for one in body["results"] if "task_id" in one]}


def _facts(body: Any) -> dict[str, Any]:
    if not isinstance(body, Mapping):
        return {}
    if "results" in body:
        return batch_facts(body)
    facts = {name: body[name] for name in _NAMED if name in body}
    schedule = body.get("schedule")
    if isinstance(schedule, dict):
        facts["schedule_id"] = schedule.get("schedule_id")
    return facts
