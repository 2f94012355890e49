"""Lets a caller at its own tasks, and at the one agent of its credential, where it has no role for all.

Each is called by an endpoint whose `Need` has an `own`.
"""

from __future__ import annotations

from coordinator.access.principal import Principal
from coordinator.api.ports.query_ports import LooksUpRecords
from coordinator.errors import RoleMissing

from .endpoint_roles import ROLES

__all__ = ["check_agent", "check_submitter", "check_task", "only_own"]


def only_own(endpoint: str, caller: Principal) -> str | None:
    """The caller, where it may see its own tasks alone; None where it may see all."""
    role = ROLES[endpoint].role
    return None if role is None or caller.has(role) else caller.actor


def check_submitter(endpoint: str, caller: Principal, submitted_by: str | None) -> None:
    """Raises `RoleMissing` for a task of somebody else."""
    role = ROLES[endpoint].role
    if role is None or caller.has(role) or (caller.actor and caller.actor == submitted_by):
        return
    raise RoleMissing(
        f"This task is another's: that needs the role {role}, which {caller.actor} does not have",
        role=role,
    )


async def check_task(
    endpoint: str, caller: Principal, task_id: str, registry: LooksUpRecords
) -> None:
    """As `check_submitter`, and raises what `registry.task` does; asks nobody where it may see all."""
    if only_own(endpoint, caller) is not None:
        task = await registry.task(task_id)
        check_submitter(endpoint, caller, task.submitted_by)


def check_agent(endpoint: str, caller: Principal, agent_id: str) -> None:
    """Raises `RoleMissing` for another agent than that of the credential."""
    role = ROLES[endpoint].role
    if role is None or caller.has(role) or caller.agent_id == agent_id:
        return
    raise RoleMissing(
        f"The credential is for the agent {caller.agent_id!r} alone: another needs the role {role}",
        role=role,
    )
