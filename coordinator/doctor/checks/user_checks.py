"""Checks the users of the broker: that those of agents may do what was granted, and the service is no
administrator. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.doctor.facts.fact_types import Facts

from .finding import Finding

__all__ = ["check_agent_users"]


def check_agent_users(facts: Facts) -> Iterator[Finding]:
    """Nothing is told where no agent has a user of its own, which is a way to run it, too."""
    if isinstance(facts.management, str) or not facts.management.agent_users:
        return
    users = facts.management.agent_users
    for user in users:
        for difference in user.drift:
            text = f"The user of the agent {user.grant.agent_id} is not as granted: {difference}"
            yield Finding.problem("agents-users", text, _add(user.grant))
    if not any(user.drift for user in users):
        count = "1 agent has" if len(users) == 1 else f"{len(users)} agents have"
        yield Finding.ok("agents-users", f"{count} a user with the rights that were granted")
    if facts.management.is_administrator and facts.address.private is None:
        yield Finding.warning(
            "agents-users",
            f"Agents have users of their own, and the coordinator's, {facts.address.user}, is an"
            " administrator of the broker",
            "give the coordinator a user without tags, and that of an administrator to"
            " COORDINATOR_MANAGEMENT_URL alone",
        )


def _add(grant: AgentGrant) -> str:
    words = ["coordinator", "agents", "add", grant.agent_id, "--type", grant.agent_type]
    for option, names in (
        ("--capability", grant.capabilities),
        ("--service", grant.services),
        ("--task-type", grant.task_types),
    ):
        for name in names:
            words += [option, name]
    return shlex.join([*words, "--slots", str(grant.slots)])
