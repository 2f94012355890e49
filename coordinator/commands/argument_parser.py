"""Parses the command line: each command of `coordinator`, and its options. Imports no package."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import coordinator
from coordinator.api_commands.arguments.manual_pages import IndexFormatter, PageFormatter
from coordinator.api_commands.command_pages import API_COMMANDS, add_command_pages
from coordinator.log_lines import LineArgumentParser
from coordinator.metrics.group_file import GroupMember

from .agents import agents_parser
from .dashboard import dashboard_parser
from .keys import keys_parser

__all__ = ["COMMAND_GROUPS", "argument_parser"]

COMMAND_GROUPS: Sequence[tuple[str, Sequence[str]]] = (
    ("start", ("up", "serve", "dashboard", "demo")),
    *API_COMMANDS,
    ("operate", ("doctor", "keys", "rebuild", "completion")),
)
"""All commands, by what they are for, as the help shows them."""


def argument_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; what it parsed has the name of its command in ``command``."""
    parser = LineArgumentParser(
        prog="coordinator",
        usage="coordinator COMMAND …",
        description="A message-broker based, event-driven coordinator for fleets of agents.",
        formatter_class=IndexFormatter,
    )
    parser.add_argument("--version", action="version", version=coordinator.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", prog="coordinator")

    service = LineArgumentParser(add_help=False)
    service.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    service.add_argument("--port", help="TCP port of the API (default 9001)")
    service.add_argument("--data-dir", help="folder of the ledger and the private broker")
    service.add_argument("--amqp-url", help=agents_parser.BROKER)

    service.add_argument(
        "--projector",
        metavar="auto|own|same",
        help="fold the log in a process of its own, or in the same that answers HTTP (default: its own"
        " where there are more than two cores)",
    )

    up = commands.add_parser(
        "up",
        parents=[service],
        help="everything on this machine: private RabbitMQ, service, agents",
    )
    agents = up.add_mutually_exclusive_group()
    agents.add_argument("--agents", type=_count, metavar="N", help="start N of the example agents")
    agents.add_argument(
        "--no-agents", dest="agents", action="store_const", const=0, help="start none of them"
    )
    up.add_argument(
        "--new-broker",
        action="store_true",
        help="where this RabbitMQ cannot read the data of the private one: move its folder aside,"
        " and put the queued tasks of the ledger on a new one",
    )
    up.set_defaults(command="up")

    serve = commands.add_parser("serve", parents=[service], help="the service alone")
    serve.add_argument("--workers", metavar="N", help="processes that answer HTTP (default 1)")
    serve.add_argument(
        "--socket-fd", type=int, help=argparse.SUPPRESS
    )  # these are for child processes
    serve.add_argument("--duty", choices=["serving", "projecting"], help=argparse.SUPPRESS)
    serve.add_argument("--tell-fd", type=int, help=argparse.SUPPRESS)
    serve.add_argument("--metrics-fd", type=int, help=argparse.SUPPRESS)
    serve.add_argument("--figures", type=GroupMember.from_text, help=argparse.SUPPRESS)
    serve.set_defaults(command="serve")

    dashboard_parser.add_dashboard_parser(commands)

    doctor = commands.add_parser(
        "doctor",
        help="look at the broker and the ledger, and say what to put right",
        description="Look at the broker and the ledger, and say what to put right and how. Changes"
        " nothing. The exit status is 0 when all is well or there are only warnings, 1 when an"
        " operator must fix something.",
    )
    doctor.add_argument("--data-dir", help="folder of the ledger and the private broker")
    doctor.add_argument("--amqp-url", help=agents_parser.BROKER)
    doctor.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    doctor.set_defaults(command="doctor")

    rebuild = commands.add_parser(
        "rebuild",
        help="fold all events of the ledger again",
        description="Make the tasks, totals, agents and queues of the ledger anew from the events"
        " that it keeps, in one transaction: interrupted, it has changed nothing. Coordinators"
        " may run; they go on reading, and write once it is done.",
    )
    rebuild.add_argument("--data-dir", help="folder of the ledger")
    rebuild.set_defaults(command="rebuild")

    agents_parser.add_agents_parser(commands)
    keys_parser.add_keys_parser(commands)

    add_command_pages(commands)
    completion = commands.add_parser(
        "completion",
        help="print what makes a shell complete commands and options",
        description="Print the script by which a shell completes commands and options.",
        epilog="examples:\n"
        "  bash: source <(coordinator completion bash)\n"
        "  zsh:  coordinator completion zsh > ~/.zfunc/_coordinator\n"
        "  fish: coordinator completion fish > ~/.config/fish/completions/coordinator.fish",
        formatter_class=PageFormatter,
    )
    completion.add_argument("shell", choices=["bash", "zsh", "fish"])
    completion.set_defaults(command="completion")

    demo = commands.add_parser("demo", help="submit a mixed batch of real work and watch it finish")
    demo.add_argument(
        "--url", help="where the API is (or COORDINATOR_URL; default http://127.0.0.1:9001)"
    )
    demo.add_argument(
        "--key-file",
        metavar="FILE",
        help="an API key or a JWT, where the service asks for one (or COORDINATOR_KEY)",
    )
    demo.add_argument("--count", type=_count, default=40, help="how many tasks (default 40)")
    demo.add_argument("--no-live", action="store_true", help="plain lines instead of a live table")
    demo.set_defaults(command="demo")
    helps = {one.dest: one.help or "" for one in commands._choices_actions}  # noqa: SLF001
    parser.epilog = (
        f"{_index(helps)}\n"
        "`coordinator COMMAND --help` is the page of a command, with examples.\n"
        "Every setting is also an environment variable: docs/reference/settings.md"
    )
    return parser


def _index(helps: Mapping[str, str]) -> str:
    """One line for each command, under headings. ``helps`` has the line of each."""
    lines: list[str] = []
    for heading, names in COMMAND_GROUPS:
        lines += [f"{heading}:", *(f"  {name:<11} {helps[name]}" for name in names), ""]
    return "\n".join(lines)


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return value
