"""Checks the users of the broker: that those of agents may do what was granted and no more, that each is
somebody's, and that the service is no administrator. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from coordinator.agent_users.agent_grant import CONTROL_POLICY, AgentGrant, control_policy
from coordinator.agent_users.agent_users import AgentUser
from coordinator.doctor.facts.fact_types import Facts, ManagementFacts, Policy
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.inspection_results import KnownUsers

from .applied_policies import applying
from .finding import Finding
from .readable_amounts import count, names
from .remedy_commands import RemedyCommands

__all__ = ["USER_CHECKS", "check_agent_users"]

CHECK = "agents-users"

COORDINATOR = ""
"""In the place of an agent's id: the user was entered as a coordinator's."""

A_CONTROL_QUEUE = "agent.ada.control.1"
"""Stands for all of them."""


def check_agent_users(facts: Facts) -> Iterator[Finding]:
    """Nothing is told where no agent has a user of its own, which is a way to run it, too."""
    management = facts.management
    if isinstance(management, str) or not management.agent_users:
        return
    users = management.agent_users
    for user in users:
        for difference in user.drift:
            text = f"The user of the agent {user.grant.agent_id} is not as granted: {difference}"
            yield Finding.problem(CHECK, text, _add(user.grant))
    if not any(user.drift for user in users):
        told = "1 agent has" if len(users) == 1 else f"{len(users)} agents have"
        yield Finding.ok(CHECK, f"{told} a user with the rights that were granted")
    if management.is_administrator and facts.address.private is None:
        yield Finding.warning(
            CHECK,
            f"Agents have users of their own, and the coordinator's, {facts.address.user}, is an"
            " administrator of the broker",
            "give the coordinator a user without tags, and that of an administrator to"
            " COORDINATOR_MANAGEMENT_URL alone",
        )


def check_control_policy(facts: Facts) -> Iterator[Finding]:
    """Where agents have users of their own, a policy bounds their control queues."""
    management = facts.management
    if isinstance(management, str) or not management.agent_users or management.policies is None:
        return
    wanted = control_policy()
    applied = applying(management.policies, A_CONTROL_QUEUE, kind="classic_queues")
    looser = _looser(applied, wanted["definition"])
    if not looser:
        return
    remedy = RemedyCommands.of(facts)
    other = next((one for one in applied if not one.operator and one.name != CONTROL_POLICY), None)
    if other is None:
        text = f"The policy {CONTROL_POLICY} does not bound control queues: {', '.join(looser)}"
        yield Finding.problem(CHECK, text, remedy.set_policy(CONTROL_POLICY, wanted))
        return
    yield Finding.problem(
        CHECK,
        f"The policy {other.name} applies to control queues in the place of {CONTROL_POLICY}, and does"
        f" not bound them: {', '.join(looser)}",
        f"have the pattern of {other.name} leave out names that begin with agent., or: "
        + remedy.set_policy(CONTROL_POLICY, {**wanted, "priority": other.priority + 1}),
    )


def _looser(applied: Iterable[Policy], wanted: object) -> list[str]:
    """Bounds that are not there, or are wider, in words."""
    had: dict[str, int] = {}
    for policy in applied:
        for name, value in policy.definition.items():
            if isinstance(value, int):
                had[name] = min(value, had.get(name, value))
    bounds = wanted if isinstance(wanted, Mapping) else {}
    return [
        f"{name} is {had.get(name, 'not set')}, and was to be {bound} at most"
        for name, bound in bounds.items()
        if name not in had or had[name] > bound
    ]


def check_known_agents(facts: Facts) -> Iterator[Finding]:
    """Each user of an agent is that of a registered one, which may read the lanes that it is offered."""
    management, state = facts.management, facts.ledger.state
    if isinstance(management, str) or not management.agent_users:
        return
    if state is None or state.task_queues is None:  # of another version
        return
    known = {profile.agent_id: profile for profile in state.users.agents}
    unknown = [
        user.grant.agent_id for user in management.agent_users if user.grant.agent_id not in known
    ]
    if unknown:
        yield Finding.warning(
            CHECK,
            f"{count(len(unknown), 'user')} of agents of which none is registered: {names(unknown)}",
            "start it, or, where it comes no more: "
            + shlex.join(["coordinator", "agents", "remove", unknown[0]]),
        )
    for user in management.agent_users:
        profile = known.get(user.grant.agent_id)
        if profile is not None and user.read is not None:
            yield from _unreadable_lanes(user, user.read, profile, state.users)


def _unreadable_lanes(
    user: AgentUser, read: str, profile: Profile, users: KnownUsers
) -> Iterator[Finding]:
    try:
        may_read = re.compile(read)
    except re.error:  # RabbitMQ's expressions are Perl's; that it is another one is told as drift
        return
    found = {
        lane: wanted
        for lane, wanted in users.lanes.items()
        if profile.satisfies(wanted) and not may_read.search(TaskQueue(lane, Priority.NORMAL).queue)
    }
    if found:
        yield Finding.warning(
            CHECK,
            f"The user of the agent {profile.agent_id} may not read {count(len(found), 'lane')} that the"
            f" agent is offered by what it says of itself: {names(sorted(found))}",
            _granting(user.grant, found, profile),
        )


def _granting(grant: AgentGrant, lanes: Mapping[str, Requirements], profile: Profile) -> str:
    """The command that grants them all, or what else to do."""
    asked = list(lanes.values())
    more = replace(
        grant,
        agent_type=profile.agent_type if any(one.agent_type for one in asked) else grant.agent_type,
        capabilities=(*grant.capabilities, *(name for one in asked for name in one.capabilities)),
        services=(*grant.services, *(name for one in asked for name in one.services)),
        task_types=_types(grant, asked),
    )
    if more == grant or any(_hashed(lane, wanted) for lane, wanted in lanes.items()):
        return "have the agent register with what it was granted alone"
    return f"where it is to serve them: {_add(more)}"


def _types(grant: AgentGrant, asked: Iterable[Requirements]) -> tuple[str, ...]:
    if not grant.task_types:  # which is all of them
        return ()
    return (*grant.task_types, *(one.task_type for one in asked if one.task_type))


def _hashed(lane: str, wanted: Requirements) -> bool:
    """Whether the name of the lane is too long to say all that its tasks ask for: nobody is granted it."""
    name = lane_name(wanted)
    return lane.startswith(name) and re.search(r":h[0-9a-f]{32}$", name) is not None


def check_entered_users(facts: Facts) -> Iterator[Finding]:
    """Users that speak for agents are there, and may do nothing that goes beyond permissions."""
    management, state = facts.management, facts.ledger.state
    if isinstance(management, str) or management.powers is None or state is None:
        return
    entered: dict[str, list[str]] = {}
    for user, agent_id in state.users.entered:
        if agent_id != COORDINATOR:
            entered.setdefault(user, []).append(agent_id)
    for user, agent_ids in entered.items():
        if user not in management.powers:
            yield Finding.warning(
                CHECK,
                f"The user {user} was entered for {names(agent_ids)}, and the broker has none of that name",
                shlex.join(["coordinator", "agents", "remove", *agent_ids, "--user", user]),
            )
    coordinators = {user for user, agent_id in state.users.entered if agent_id == COORDINATOR}
    made = {user.grant.user for user in management.agent_users or ()}
    for user in sorted(made & coordinators):
        yield Finding.problem(
            CHECK,
            f"The user {user}, which was made for an agent, is entered as a coordinator's, and may say what"
            " coordinators say: a service was once started with its address",
            shlex.join(["coordinator", "agents", "remove", "--user", user]),
        )
    speaking = dict(entered)
    if facts.require_identity:
        own = {encode_word(one.agent_id): [one.agent_id] for one in state.users.agents}
        speaking |= {
            user: ids for user, ids in own.items() if user not in coordinators | set(entered)
        }
    yield from _powerful(facts, management, speaking, made)


def _powerful(
    facts: Facts, management: ManagementFacts, speaking: Mapping[str, list[str]], made: set[str]
) -> Iterator[Finding]:
    for user, agent_ids in speaking.items():
        tags = (management.powers or {}).get(user)
        if tags and user not in made:  # of whom that is told as drift
            yield Finding.problem(
                CHECK,
                f"The user {user}, which speaks for the agent {names(agent_ids)}, has the tag"
                f" {' and '.join(tags)}: an agent's user needs none",
                RemedyCommands.of(facts).take_tags(user),
            )


def _add(grant: AgentGrant) -> str:
    words = ["coordinator", "agents", "add", grant.agent_id, "--type", grant.agent_type]
    for option, granted in (
        ("--capability", grant.capabilities),
        ("--service", grant.services),
        ("--task-type", grant.task_types),
    ):
        for name in granted:
            words += [option, name]
    return shlex.join([*words, "--slots", str(grant.slots)])


USER_CHECKS: tuple[Callable[[Facts], Iterable[Finding]], ...] = (
    check_agent_users,
    check_control_policy,
    check_known_agents,
    check_entered_users,
)
"""In the order in which they are told."""
