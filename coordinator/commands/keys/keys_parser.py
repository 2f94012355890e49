"""Parses `coordinator keys create | list | revoke | rotate`, and the options of each."""

from __future__ import annotations

import argparse
from typing import Any

from coordinator.access.roles import Role

__all__ = ["add_keys_parser"]

_ENDS = "when it ends: 90d, 12h, 30m, seconds, or an instant such as 2027-01-31T00:00:00Z"


def add_keys_parser(commands: Any) -> None:
    """Adds `keys` to the subcommands."""
    keys = commands.add_parser(
        "keys",
        help="make, list, revoke and rotate API keys",
        description="Make, list, revoke and rotate API keys in the ledger. A running service knows of a"
        " change within a second or two.",
    )
    keys.set_defaults(command="keys")
    ledger = argparse.ArgumentParser(add_help=False)
    ledger.add_argument("--data-dir", help="folder of the ledger")
    actions = keys.add_subparsers(required=True, metavar="ACTION", dest="action")
    create = actions.add_parser("create", parents=[ledger], help="make a key, and print it once")
    create.add_argument("--name", required=True, help="what records call its holder by")
    create.add_argument(
        "--role",
        required=True,
        action="append",
        choices=[role.value for role in Role],
        help="what it grants; may be given several times",
    )
    create.add_argument("--agent-id", help="the one agent that the role agent is for")
    create.add_argument("--expires", metavar="WHEN", help=f"{_ENDS}; by default it does not")
    shown = actions.add_parser(
        "list", parents=[ledger], help="show all keys but not the keys themselves"
    )
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    revoke = actions.add_parser("revoke", parents=[ledger], help="end a key for good")
    revoke.add_argument("name")
    rotate = actions.add_parser(
        "rotate", parents=[ledger], help="make another key of the same name"
    )
    rotate.add_argument("name")
    rotate.add_argument(
        "--keep-old",
        metavar="TIME",
        default="0",
        help="how long the old one counts: 1h, 2d (default 0)",
    )
    rotate.add_argument("--expires", metavar="WHEN", help=f"{_ENDS}; by default as before")
