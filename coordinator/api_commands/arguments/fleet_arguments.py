"""Parses the commands about agents, queues and the service itself."""

from __future__ import annotations

import argparse
from typing import Any

from coordinator.domain.agent_statuses import AgentStatus

from .connection_arguments import yes
from .manual_pages import add_page
from .task_filters import PRIORITIES, limit

__all__ = ["add_fleet_pages", "fleet_options"]


def fleet_options(parser: argparse.ArgumentParser) -> None:
    """Adds to `agents` which agents of the fleet are listed. Its actions have options of the same names."""
    group = parser.add_argument_group("fleet")
    group.add_argument(
        "--status",
        action="append",
        default=[],
        choices=[one.value for one in AgentStatus],
        help="one of these; repeatable",
    )
    group.add_argument(
        "--agent-type",
        dest="fleet_agent_type",
        action="append",
        default=[],
        metavar="TYPE",
        help="one of these; repeatable",
    )
    group.add_argument(
        "--capability",
        dest="fleet_capability",
        action="append",
        default=[],
        metavar="NAME",
        help="that have it; repeatable",
    )
    group.add_argument(
        "--service",
        dest="fleet_service",
        action="append",
        default=[],
        metavar="NAME",
        help="that have it; repeatable",
    )
    group.add_argument(
        "--listening",
        action=argparse.BooleanOptionalAction,
        help="that take tasks from the broker, or do not",
    )


def add_fleet_pages(commands: Any, connection: argparse.ArgumentParser) -> None:
    """Adds `agent`, `drain`, `queues`, `clear` and `health`."""
    agent = add_page(
        commands,
        "agent",
        help="show an agent, and the tasks that it has or had last",
        examples=["coordinator agent librarian"],
        parents=[connection],
    )
    agent.add_argument("agent_id", metavar="ID")
    limit(agent, 10)

    drain = add_page(
        commands,
        "drain",
        help="have agents take nothing more, finish what they have, and stop",
        examples=["coordinator drain librarian"],
        parents=[connection],
    )
    drain.add_argument("agent_ids", nargs="+", metavar="ID")

    add_page(
        commands,
        "queues",
        help="show what waits on each queue, since when, and who listens",
        examples=["coordinator queues", "coordinator queues --json | jq .queue_sizes"],
        parents=[connection],
    )

    clear = add_page(
        commands,
        "clear",
        help="cancel every task that waits at a priority",
        about="It says how many wait, and asks first.",
        examples=["coordinator clear low", "coordinator clear low --yes"],
        parents=[connection],
    )
    clear.add_argument("priority", choices=PRIORITIES)
    yes(clear)

    add_page(
        commands,
        "health",
        help="say whether the service is well, and what is not",
        about="The exit status is 1 where it is not.",
        examples=["coordinator health"],
        parents=[connection],
    )
