"""Runs agents in one process: `python -m consumers path/to/file.py:agent`, or `package.module:agent`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from coordinator.errors import CoordinatorError, InvalidRequest, OperatorError
from coordinator.log_lines import (
    LineArgumentParser,
    json_asked,
    print_line,
    tell_exceptions,
)
from coordinator.missing_extra import missing_extra
from coordinator.protocol.broker_address_check import check_address
from coordinator.standard_streams import open_standard_streams
from coordinator.unwritten_output import written

from ._process.log_format import LEVELS
from .agent import run_agents
from .agent_search import CannotFind, CannotImport, find_agent, find_agents, place_and_name

__all__ = ["CannotFind", "CannotImport", "find_agent", "main"]

OF_ONE = ("--id", "--metrics-port")
"""Options of which two agents cannot have the same."""


def main(arguments: list[str] | None = None, *, prog: str = "python -m consumers") -> int:
    open_standard_streams()
    if json_asked():
        tell_exceptions("consumers")
    module = prog.rpartition(" ")[2]

    def run() -> int:
        given = _parser(prog).parse_args(arguments)
        return _reload(given, module) if given.reload else _run(given)

    try:
        return written(prog, run)
    except CannotImport as exc:
        if not json_asked():
            exc.print_traceback()
        return _told(exc)
    except (CannotFind, CoordinatorError) as exc:
        return _told(exc)


def _parser(prog: str) -> LineArgumentParser:
    parser = LineArgumentParser(prog=prog, description="Run agents.")
    parser.add_argument(
        "agents",
        nargs="+",
        metavar="agent",
        help="path/to/file.py:name or package.module:name; several run in one process",
    )
    parser.add_argument("--id", help="run under this id")
    parser.add_argument("--slots", type=int, help="do this many tasks at once, each agent")
    parser.add_argument("--metrics-port", type=int, help="tell Prometheus of it on this port")
    parser.add_argument("--metrics-host", help="address of that port (default: 127.0.0.1)")
    parser.add_argument(
        "--amqp-url",
        help="the broker (default: COORDINATOR_AMQP_URL, or the file that COORDINATOR_AMQP_URL_FILE names)",
    )
    parser.add_argument(
        "--log-level",
        choices=LEVELS,
        help="what is logged (default: COORDINATOR_LOG_LEVEL, or info)",
    )
    parser.add_argument(
        "--reload",
        action="store_true",
        help="start anew when a Python file is saved, in the folder of an agent or below",
    )
    return parser


def _run(given: argparse.Namespace) -> int:
    _check_options(given)
    changes = {
        "agent_id": given.id,
        "slots": given.slots,
        "amqp_url": given.amqp_url,
        "metrics_port": given.metrics_port,
        "metrics_host": given.metrics_host,
    }
    agents = find_agents(given.agents)
    for agent in agents:
        agent.configure(**{name: value for name, value in changes.items() if value is not None})
    ids = [agent.agent_id for agent in agents]
    for agent_id in ids:
        if ids.count(agent_id) > 1:
            raise InvalidRequest(
                f"two of these agents have the id {agent_id!r}, which must be unique: give each its"
                " own",
                field="agent_id",
            )
    run_agents(agents, log_level=given.log_level)
    return 0


def _check_options(given: argparse.Namespace) -> None:
    if given.amqp_url is not None:
        check_address(given.amqp_url, "--amqp-url")
    if len(given.agents) > 1:
        for option in OF_ONE:
            if getattr(given, option.strip("-").replace("-", "_")) not in (None, 0):
                raise InvalidRequest(
                    f"{option} is for one agent, and {len(given.agents)} are named: give it in their"
                    " files, or run each in a process of its own"
                )


def _reload(given: argparse.Namespace, module: str) -> int:
    """Run the same command, that of ``module``, in a process of its own, again and again."""
    _check_options(given)
    places = [place_and_name(where)[0] for where in given.agents]
    files = [Path(place) for place in places if place.endswith(".py")]
    for file in files:
        if not file.is_file():
            raise CannotFind(f"there is no file {file}")
    folders = {file.resolve().parent for file in files}
    if len(files) < len(places):
        folders.add(Path.cwd())  # where a module is looked for first
    try:
        from ._reload.reloader import reload_agents  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as exc:
        raise OperatorError(missing_extra("--reload", "reload", exc)) from exc
    command = [sys.executable, "-m", module, *_without_reload(given)]
    return reload_agents(command, files=files, folders=folders)


def _without_reload(given: argparse.Namespace) -> list[str]:
    told = {name: value for name, value in vars(given).items() if name not in ("agents", "reload")}
    options = [
        f"--{name.replace('_', '-')}={value}" for name, value in told.items() if value is not None
    ]
    return [*options, "--", *given.agents]


def _told(exc: Exception) -> int:
    inner = exc.exc if isinstance(exc, CannotImport) else None
    print_line(
        str(exc),
        logger="consumers",
        level=logging.ERROR,
        stream=sys.stderr,
        exc=inner,
        prefix="error: ",
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
