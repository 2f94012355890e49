"""`coordinator up | serve | doctor | demo`: reads the options and the settings, then starts things."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import coordinator
from coordinator.errors import OperatorError, Unavailable
from coordinator.logging_setup import set_up_logging
from coordinator.settings import Settings, load_settings, unknown_settings

from . import gc_tuning

__all__ = ["main"]

logger = logging.getLogger(__name__)

CLEAN, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130

OWN = frozenset({"coordinator", "consumers"})
"""Packages whose modules are there, or something is broken that no installation puts right."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 1 with one line where an operator must fix something, or what
    it needs went away while it started.
    """
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except (OperatorError, Unavailable) as exc:
        print(f"coordinator: {exc}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] in OWN:
            raise
        print(
            f"coordinator: this command needs the extra `service` ({exc.name} is not installed): run"
            " pip install 'agent-coordinator[service]'",
            file=sys.stderr,
        )
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coordinator",
        description="A message-broker based, event-driven coordinator for fleets of agents.",
        epilog="Every setting is also an environment variable: docs/reference/settings.md",
    )
    parser.add_argument("--version", action="version", version=coordinator.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    service = argparse.ArgumentParser(add_help=False)
    service.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    service.add_argument("--port", help="TCP port of the API (default 9001)")
    service.add_argument("--data-dir", help="folder of the ledger and the private broker")
    service.add_argument("--amqp-url", help="the broker: amqp://user:password@host:port/vhost")

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
    up.set_defaults(run=_up)

    serve = commands.add_parser("serve", parents=[service], help="the service alone")
    serve.add_argument("--workers", metavar="N", help="processes that answer HTTP (default 1)")
    serve.add_argument("--socket-fd", type=int, help=argparse.SUPPRESS)  # for the workers
    serve.set_defaults(run=_serve)

    doctor = commands.add_parser(
        "doctor",
        help="look at the broker and the ledger, and say what to put right",
        description="Look at the broker and the ledger, and say what to put right and how. Changes"
        " nothing. The exit status is 0 when all is well or there are only warnings, 1 when an"
        " operator must fix something.",
    )
    doctor.add_argument("--data-dir", help="folder of the ledger and the private broker")
    doctor.add_argument("--amqp-url", help="the broker: amqp://user:password@host:port/vhost")
    doctor.add_argument("--json", action="store_true", help="one JSON object, for scripts")
    doctor.set_defaults(run=_doctor)

    rebuilding = commands.add_parser(
        "rebuild",
        help="fold all events of the ledger again",
        description="Make the tasks, totals, agents and queues of the ledger anew from the events"
        " that it keeps, in one transaction: interrupted, it has changed nothing. Coordinators"
        " may run; they go on reading, and write once it is done.",
    )
    rebuilding.add_argument("--data-dir", help="folder of the ledger")
    rebuilding.set_defaults(run=_rebuild)

    demo = commands.add_parser("demo", help="submit a mixed batch of real work and watch it finish")
    demo.add_argument("--url", help="where the API is (default http://127.0.0.1:9001)")
    demo.add_argument("--count", type=_count, default=40, help="how many tasks (default 40)")
    demo.add_argument("--no-live", action="store_true", help="plain lines instead of a live table")
    demo.set_defaults(run=_demo)
    return parser


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return value


def _settings(options: argparse.Namespace) -> Settings:
    settings = load_settings(
        http_host=options.host,
        http_port=options.port,
        data_dir=options.data_dir,
        amqp_url=options.amqp_url,
        http_workers=getattr(options, "workers", None),
    )
    set_up_logging(level=settings.log_level, style=settings.log_format)
    if getattr(options, "socket_fd", None) is None:  # a worker's parent has told
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
    return _run(up(settings, chosen, _say))


def _serve(options: argparse.Namespace) -> int:
    settings = _settings(options)
    if settings.amqp_url is None:
        raise OperatorError(
            "No broker is named: give --amqp-url or COORDINATOR_AMQP_URL, or use `coordinator up`,"
            " which starts a private one"
        )
    if settings.http_workers > 1 and options.socket_fd is None:
        from .worker_processes import serve_with_workers  # noqa: PLC0415

        return _run(serve_with_workers(settings, _say))
    gc_tuning.rest()  # until it serves
    from .serve_command import serve  # noqa: PLC0415

    return _run(serve(settings, _say, socket_fd=options.socket_fd))


def _doctor(options: argparse.Namespace) -> int:
    from coordinator import doctor  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir, amqp_url=options.amqp_url)
    # Its findings say what the connection's own account would.
    set_up_logging(level="critical", style=settings.log_format)
    _interruptible()
    return doctor.run(settings, json=options.json, unknown=unknown_settings())


def _rebuild(options: argparse.Namespace) -> int:
    from . import rebuild_command  # noqa: PLC0415

    settings = load_settings(data_dir=options.data_dir)
    set_up_logging(level=settings.log_level, style=settings.log_format)
    _warn_of_unknown_settings()
    _interruptible()
    rebuild_command.run(settings)
    return CLEAN


def _demo(options: argparse.Namespace) -> int:
    from coordinator import demo  # noqa: PLC0415

    url = options.url
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
    _interruptible()
    return demo.run(url, count=options.count, live=not options.no_live)


def _interruptible() -> None:
    """From now on Ctrl-C raises `KeyboardInterrupt`: there will be something to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _say(line: str) -> None:
    print(line, flush=True)


def _run(work: Coroutine[Any, Any, None]) -> int:
    """Run until the work ends or SIGINT or SIGTERM asks it to stop; a second signal ends at once
    (what it started ends with it).
    """
    from coordinator.web_server.http_server import event_loop_factory  # noqa: PLC0415

    async def supervised() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)
        asked: list[int] = []

        def stop(number: int) -> None:
            if asked:
                os._exit(128 + number)
            asked.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise
        return CLEAN

    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        return runner.run(supervised())


if __name__ == "__main__":
    sys.exit(main())
