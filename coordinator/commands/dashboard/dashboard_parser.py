"""Parses `coordinator dashboard` and its options."""

from __future__ import annotations

from typing import Any

__all__ = ["add_dashboard_parser"]

PORT = 9002


def add_dashboard_parser(commands: Any) -> None:
    """Adds `dashboard` to the subcommands."""
    dashboard = commands.add_parser(
        "dashboard",
        help="the pages for people in a process of their own, of a service anywhere",
        description="Serve the dashboard apart from the service, which it calls over HTTP as any client"
        " does. Whoever looks signs in with a key of their own, where the service asks for one.",
    )
    dashboard.add_argument(
        "--url", default="http://127.0.0.1:9001", help="where the API is (default %(default)s)"
    )
    dashboard.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    dashboard.add_argument(
        "--port", default=str(PORT), help="TCP port of the pages (default %(default)s)"
    )
    dashboard.add_argument(
        "--ca-file", metavar="FILE", help="certificates in PEM to trust, in place of the system's"
    )
    dashboard.set_defaults(command="dashboard")
