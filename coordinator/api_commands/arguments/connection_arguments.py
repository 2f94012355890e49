"""Parses where the service is, who one is, and how output is written: alike for all these commands."""

from __future__ import annotations

import argparse

from .argument_types import seconds

__all__ = ["connection", "connection_after", "yes"]


def connection() -> argparse.ArgumentParser:
    """For `parents`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, for scripts, and nothing else"
    )
    group = parser.add_argument_group("connection")
    group.add_argument(
        "--url",
        help="where the API is (or COORDINATOR_URL; default http://127.0.0.1:9001)",
    )
    group.add_argument(
        "--key-file",
        metavar="FILE",
        help="an API key or a JWT, where the service asks for one (or COORDINATOR_KEY,"
        " COORDINATOR_KEY_FILE)",
    )
    group.add_argument(
        "--key",
        help="the same on the command line, which others on this machine see: use it for tests alone",
    )
    group.add_argument(
        "--ca-file", metavar="FILE", help="certificates in PEM to trust in place of the system's"
    )
    group.add_argument(
        "--client-cert",
        metavar="FILE",
        help="a certificate to show, in PEM, with its key or beside",
    )
    group.add_argument("--client-key", metavar="FILE", help="the key of --client-cert")
    group.add_argument(
        "--retry",
        type=seconds,
        metavar="TIME",
        help="how long to try again, also where nobody answers; 0 tries once (default: 30s where the"
        " service asks to wait, and not where nobody answers)",
    )
    return parser


def connection_after() -> argparse.ArgumentParser:
    """For the actions of a command that has these options itself: what was given before the action counts."""
    parser = connection()
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to reach them
        action.default = argparse.SUPPRESS
    return parser


def yes(parser: argparse.ArgumentParser) -> None:
    """Adds `--yes` to a command that asks before it acts."""
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask; needed where no terminal is there"
    )
