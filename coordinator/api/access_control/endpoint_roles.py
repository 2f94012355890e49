"""Names the role that each endpoint needs, in one table. An endpoint that is not in it cannot be served."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.access.principal import Principal
from coordinator.access.roles import Role
from coordinator.errors import RoleMissing

__all__ = ["OPEN_PATHS", "ROLES", "Need", "check_role"]

OPEN_PATHS = frozenset(
    {
        *("/health/live", "/health/ready", "/healthz", "/livez", "/readyz"),
        *("/docs", "/openapi.json"),
    }
)
"""Paths, without `/v1`, that need no credential. What the last two say is the same of every installation."""

OPEN_FOLDER = "/docs/assets/"
"""What `/docs` loads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Says who may call an endpoint. Without any role: whoever has a credential."""

    role: Role | None = None
    own: Role | None = None
    """Suffices for what is the caller's own, which the endpoint checks, see `own_things`."""
    acts: bool = False
    """Whether it changes something: the audit log has each call."""


_READ = Need(role=Role.READER)
_OWN_TASK = Need(role=Role.READER, own=Role.PRODUCER)
_SUBMIT = Need(role=Role.PRODUCER, acts=True)
_OPERATE = Need(role=Role.OPERATOR, acts=True)

ROLES: dict[str, Need] = {
    "health": Need(),
    "healthz": Need(),
    "get_findings": Need(role=Role.OPERATOR),
    "root": Need(),
    "whoami": Need(),
    "metrics": _READ,
    "live": Need(),
    "ready": Need(),
    "submit_task": _SUBMIT,
    "submit_batch": _SUBMIT,
    "get_task": _OWN_TASK,
    "list_task_events": _OWN_TASK,
    "wait_for_task": _OWN_TASK,
    "stream_events": _OWN_TASK,
    "stream_task": _OWN_TASK,
    "subscribe": _OWN_TASK,  # the WebSocket, which is in no router
    "explain_task": _OWN_TASK,
    "list_tasks": _OWN_TASK,
    "cancel_task": Need(role=Role.OPERATOR, own=Role.PRODUCER, acts=True),
    "get_group": _OWN_TASK,
    "wait_for_group": _OWN_TASK,
    "cancel_group": Need(role=Role.OPERATOR, own=Role.PRODUCER, acts=True),
    "answer_task": Need(role=Role.OPERATOR, own=Role.PRODUCER, acts=True),
    "retry_task": _OPERATE,
    "delete_task": _OPERATE,
    "get_dead_tasks": _READ,
    "redrive_dead_tasks": _OPERATE,
    "get_task_status": _READ,
    "get_queue_sizes": _READ,
    "get_queue_stats": _READ,
    "clear_queue": _OPERATE,
    "retire_lane": _OPERATE,
    "list_parked": Need(role=Role.OPERATOR),
    "get_parked": Need(role=Role.OPERATOR),
    "list_callbacks": _OWN_TASK,
    "redrive_callbacks": Need(role=Role.OPERATOR, own=Role.PRODUCER, acts=True),
    "list_schedules": _READ,
    "get_schedule": _READ,
    "create_schedule": _OPERATE,
    "edit_schedule": _OPERATE,
    "run_schedule": _OPERATE,
    "pause_schedule": _OPERATE,
    "resume_schedule": _OPERATE,
    "delete_schedule": _OPERATE,
    "register_agent": Need(role=Role.ADMIN, own=Role.AGENT, acts=True),
    "agent_heartbeat": Need(role=Role.ADMIN, own=Role.AGENT),
    "update_agent_status": Need(role=Role.OPERATOR, own=Role.AGENT, acts=True),
    "get_agent": Need(role=Role.READER, own=Role.AGENT),
    "list_agents": _READ,
    "discover_agents": _READ,
    "list_agent_tasks": _READ,
    "drain_agent": _OPERATE,
    "remove_agent": Need(role=Role.ADMIN, acts=True),
}
"""By the endpoint's name."""


def check_role(endpoint: str, caller: Principal) -> None:
    """Raises `RoleMissing` with a sentence that names the role."""
    need = ROLES[endpoint]
    if need.role is None or caller.has(need.role):
        return
    if need.own is None:
        raise RoleMissing(
            f"This needs the role {need.role}, which {caller.actor} does not have", role=need.role
        )
    if not caller.has(need.own):
        raise RoleMissing(
            f"This needs the role {need.role}, or {need.own} for what is one's own, and"
            f" {caller.actor} has neither",
            role=need.role,
        )
