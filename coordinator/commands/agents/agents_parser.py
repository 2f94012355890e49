"""Parses `coordinator agents`: the fleet, or with an action users of the broker for agents."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from coordinator.api_commands.arguments.connection_arguments import connection
from coordinator.api_commands.arguments.fleet_arguments import fleet_options
from coordinator.api_commands.arguments.manual_pages import add_page

__all__ = ["BROKER", "add_agents_parser"]

BROKER = (
    "the broker: amqp://host:port/vhost. Others see command lines: with a password it belongs into the file"
    " that COORDINATOR_AMQP_URL_FILE names"
)
"""The help of `--amqp-url`."""

_USER = (
    "a user that the broker has already: in the ledger alone, {what}, whatever its name; its rights are left"
    " as they are"
)


def add_agents_parser(commands: Any) -> None:
    """Adds `agents` to the subcommands."""
    agents = add_page(
        commands,
        "agents",
        help="list the agents of the fleet; with an action: their users on the broker",
        about="Without an action: each agent with its status, and what it does.\n\nWith an action: make,"
        " change and remove the users that agents have on the broker, over its management API"
        " (COORDINATOR_MANAGEMENT_URL, with the login of an administrator). Each may do what an agent needs,"
        " and no more. These take the options of the action alone.",
        examples=[
            "coordinator agents",
            "coordinator agents --capability text-analysis --listening",
            "coordinator agents add ada --capability text-analysis --to ada.url",
        ],
        parents=[connection()],
    )
    fleet_options(agents)
    broker = argparse.ArgumentParser(add_help=False)
    broker.add_argument("--data-dir", help="folder of the ledger and the private broker")
    broker.add_argument("--amqp-url", help=BROKER)
    broker.add_argument(
        "--rabbitmqctl", action="store_true", help="print the commands for it, and change nothing"
    )
    actions = agents.add_subparsers(dest="action", metavar="ACTION")
    add = actions.add_parser(
        "add", parents=[broker], help="make the user of an agent, or change what it may do"
    )
    add.add_argument("agent_ids", metavar="ID", nargs="+", help="one, or with --user several")
    add.add_argument("--user", metavar="NAME", help=_USER.format(what="let it speak for these"))
    add.add_argument("--type", dest="agent_type", help="default: worker")
    for option, what in (
        ("--capability", "a capability whose lanes it may serve"),
        ("--service", "a service whose lanes it may serve"),
        ("--task-type", "a type of tasks whose lanes it may serve (default: all types)"),
    ):
        add.add_argument(option, action="append", default=[], metavar="NAME", help=what)
    add.add_argument("--slots", type=_count, metavar="N", help="at most (default 24)")
    rotate = actions.add_parser("rotate", parents=[broker], help="give it a new password")
    rotate.add_argument("agent_ids", metavar="ID", nargs=1)
    for action in (add, rotate):
        action.add_argument(
            "--to",
            type=Path,
            metavar="FILE",
            help="write the agent's address to this file, for you alone (mode 600), and do not show it",
        )
    remove = actions.add_parser(
        "remove", parents=[broker], help="delete it, which closes its connections"
    )
    remove.add_argument("agent_ids", metavar="ID", nargs="*", help="one, or with --user any")
    remove.add_argument(
        "--user",
        metavar="NAME",
        help=_USER.format(what="let it speak for these no more, or for nobody where none is named"),
    )
    actions.add_parser("list", parents=[broker], help="tell which there are, and what drifted")


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError("give a whole number, 1 or more")
    return value
