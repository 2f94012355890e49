"""Runs each command: reads its settings, sets up logging, and imports and starts what it needs.

What is imported takes time, and is not installed everywhere: each command imports its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from coordinator.access.audit_log import AuditStream
from coordinator.access.open_listening import check_listening
from coordinator.environment import content_of, secret_of, value_of
from coordinator.errors import OperatorError
from coordinator.log_lines import print_line
from coordinator.logging_setup import set_up_logging
from coordinator.metrics.group_file import GroupMember
from coordinator.settings import Settings, load_settings, unknown_settings

from . import gc_tuning
from .signal_handling import raise_on_interrupt, run_until_stopped

__all__ = ["CLEAN", "SUBCOMMANDS"]

logger = logging.getLogger(__name__)

CLEAN = 0
"""The exit status of a command that did what it was to do."""


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(
        http_host=options.host,
        http_port=options.port,
        data_dir=options.data_dir,
        amqp_url=options.amqp_url,
        http_workers=getattr(options, "workers", None),
        projector=options.projector,
    )
    set_up_logging(level=settings.log_level, style=settings.log_format)
    check_listening(
        settings.http_host,
        required=settings.auth == "required",
        allow_open=settings.allow_open,
    )
    if settings.audit_log is not None or settings.auth == "required":
        AuditStream(settings.audit_log).install()
    if getattr(options, "tell_fd", None) is None:  # a child's parent has told
        _warn_of_unknown_settings()
    return settings


def _warn_of_unknown_settings() -> None:
    for sentence in unknown_settings():
        logger.warning("%s", sentence)


def _up(options: argparse.Namespace) -> int:
    settings = _settings(options)
    gc_tuning.rest()  # until it serves
    from .up_command import UpOptions, up  # noqa: PLC0415 - `demo` needs none of it

    chosen = UpOptions(agents=options.agents, new_broker=options.new_broker)
    run_until_stopped(up(settings, chosen, _say))
    return CLEAN


def _serve(options: argparse.Namespace) -> int:
    from coordinator.web_server.service_manager import activated_socket  # noqa: PLC0415

    activated = activated_socket()
    if activated is not None:  # the rest of the service is to know where it listens
        options.host, options.port = activated.getsockname()[:2]
    settings = _settings(options)
    if settings.amqp_url is None:
        raise OperatorError(
            "No broker is named: write its address, amqp://user:password@host, to a file that"
            " COORDINATOR_AMQP_URL_FILE names, or use `coordinator up`, which starts a private one"
        )
    if options.tell_fd is None and settings.http_workers > 1:
        from .worker_processes import serve_with_workers  # noqa: PLC0415

        run_until_stopped(serve_with_workers(settings, _say, activated))
        return CLEAN
    gc_tuning.rest()  # until it serves
    if options.tell_fd is None and settings.projects_apart:
        from .projector_process import beside_projector  # noqa: PLC0415

        serving = partial(_serve_here, settings, "serving", activated=activated)
        run_until_stopped(beside_projector(settings, serving))
    elif options.duty == "projecting":
        run_until_stopped(_project_here(settings, options.figures, options.tell_fd))
    else:
        duty, sockets = options.duty or "all", (options.socket_fd, options.metrics_fd, activated)
        serving_here = _serve_here(
            settings, duty, options.figures, *sockets, tell_fd=options.tell_fd
        )
        run_until_stopped(serving_here)
    return CLEAN


async def _serve_here(
    settings: Settings,
    duty: str,
    member: GroupMember | None,
    socket_fd: int | None = None,
    metrics_fd: int | None = None,
    activated: socket.socket | None = None,
    tell_fd: int | None = None,
) -> None:
    from .serve_command import Inherited, serve  # noqa: PLC0415

    _tell_begun(tell_fd)
    inherits = Inherited(
        socket_fd=socket_fd, metrics_fd=metrics_fd, activated=activated, member=member
    )
    await serve(settings, _say, duty=duty, inherits=inherits)


async def _project_here(
    settings: Settings, member: GroupMember | None, tell_fd: int | None
) -> None:
    from .serve_command import project  # noqa: PLC0415

    _tell_begun(tell_fd)
    await project(settings, member)


def _tell_begun(tell_fd: int | None) -> None:
    """To the process that keeps this one: all is imported, however long a busy machine took for it."""
    if tell_fd is not None:
        from .kept_processes import BEGUN  # noqa: PLC0415 - only a child has said anything

        with suppress(OSError):  # such as: the parent stops, and has closed the pipe
            os.write(tell_fd, BEGUN)


def _dashboard(options: argparse.Namespace) -> int:
    settings = load_settings(http_host=options.host, http_port=options.port)
    set_up_logging(level=settings.log_level, style=settings.log_format)
    _warn_of_unknown_settings()
    from .dashboard.dashboard_command import DashboardOptions, serve_dashboard  # noqa: PLC0415

    chosen = DashboardOptions(url=options.url, ca_file=options.ca_file)
    run_until_stopped(serve_dashboard(settings, chosen, _say))
    return CLEAN


def _doctor(options: argparse.Namespace) -> int:
    from coordinator import doctor  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir, amqp_url=options.amqp_url)
    # Its findings say what the connection's own account would.
    set_up_logging(level="critical", style=settings.log_format)
    raise_on_interrupt()
    return doctor.run(settings, json=options.json, unknown=unknown_settings())


def _rebuild(options: argparse.Namespace) -> int:
    from . import rebuild_command  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir)
    set_up_logging(level=settings.log_level, style=settings.log_format)
    _warn_of_unknown_settings()
    raise_on_interrupt()
    rebuild_command.run(settings)
    return CLEAN


def _agents(options: argparse.Namespace) -> int:
    from .agents import agents_command  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir, amqp_url=options.amqp_url)
    set_up_logging(level="warning", style=settings.log_format)
    _warn_of_unknown_settings()
    raise_on_interrupt()
    agents_command.run(settings, options, _show)
    return CLEAN


def _keys(options: argparse.Namespace) -> int:
    from .keys import keys_command  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir)
    set_up_logging(level=settings.log_level, style=settings.log_format)
    _warn_of_unknown_settings()
    raise_on_interrupt()
    keys_command.run(settings, options, _show)
    return CLEAN


def _demo(options: argparse.Namespace) -> int:
    from coordinator import demo  # noqa: PLC0415

    url = options.url if options.url is not None else value_of("COORDINATOR_URL")
    if url is None:
        settings = load_settings()
        set_up_logging(level=settings.log_level, style=settings.log_format)
        _warn_of_unknown_settings()
        if settings.http_port == 0:
            raise OperatorError(
                "COORDINATOR_HTTP_PORT is 0, which is any free port: name the one that was taken with"
                " --url"
            )
        url = f"http://127.0.0.1:{settings.http_port}"
    raise_on_interrupt()
    return demo.run(url, key=_key(options.key_file), count=options.count, live=not options.no_live)


def _key(path: str | None) -> str | None:
    """Of the caller of an API: from the file of the option, else from the environment."""
    if path is not None:
        return content_of("--key-file", path)
    found = secret_of("COORDINATOR_KEY")
    return None if found is None else found.value


def _say(line: str) -> None:
    """What the service says of itself: a line of its log where that is JSON."""
    _told(partial(print_line, line, logger="coordinator", level=logging.INFO, stream=sys.stdout))


def _show(line: str) -> None:
    """What a command was asked for, such as a key: as it is, whatever the format of the log."""
    _told(partial(print, line, flush=True))


def _told(tell: Callable[[], None]) -> None:
    """The service goes on where nobody reads it any more, as behind `| head -1`."""
    try:
        tell()
    except BrokenPipeError:
        nowhere = os.open(
            os.devnull, os.O_WRONLY
        )  # what is left is told there, as Python ends, too
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


SUBCOMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "serve": _serve,
    "dashboard": _dashboard,
    "doctor": _doctor,
    "rebuild": _rebuild,
    "agents": _agents,
    "keys": _keys,
    "demo": _demo,
}
"""By name, as it was typed. Each is called with its options, returns the exit status, and raises
`OperatorError` with one line where an operator must fix something.
"""
