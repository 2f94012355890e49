"""Prints what makes, changes or removes an agent's user as commands of `rabbitmqctl`. Pure."""

from __future__ import annotations

import json
import shlex

from coordinator.protocol.name_encoding import encode_word

from .agent_grant import CONTROL_POLICY, AgentGrant, control_policy

__all__ = ["to_add", "to_list", "to_remove", "to_rotate"]


def to_add(grant: AgentGrant, *, vhost: str) -> list[str]:
    """Lines of a shell; the first asks for a password, which stands in no command line."""
    user, may, topics, policy = (
        grant.user,
        grant.permissions,
        grant.topic_permissions,
        control_policy(),
    )
    return [
        f"{_line('add_user', user)}  # asks for the password",
        _line("set_user_tags", user, *grant.tags),
        _line("set_user_limits", user, json.dumps(dict(grant.limits))),
        _line(
            "set_policy",
            "--vhost",
            vhost,
            "--apply-to",
            str(policy["apply-to"]),
            CONTROL_POLICY,
            str(policy["pattern"]),
            json.dumps(policy["definition"]),
        ),
        *(
            _line(
                "set_topic_permissions",
                "--vhost",
                vhost,
                user,
                *(one[word] for word in ("exchange", "write", "read")),
            )
            + "  # once a coordinator has been started here: it declares the exchange"
            for one in topics
        ),
        _line(
            "set_permissions",
            "--vhost",
            vhost,
            user,
            *(may[word] for word in ("configure", "write", "read")),
        ),
    ]


def to_rotate(agent_id: str) -> list[str]:
    """The same for a new password."""
    return [f"{_line('change_password', encode_word(agent_id))}  # asks for the password"]


def to_remove(agent_id: str) -> list[str]:
    """And to delete the user."""
    return [_line("delete_user", encode_word(agent_id))]


def to_list() -> list[str]:
    """And to see them: agents' users have the tag `AGENT_TAG`."""
    return [_line("list_users")]


def _line(command: str, *words: str) -> str:
    return shlex.join(["rabbitmqctl", command, *words])
