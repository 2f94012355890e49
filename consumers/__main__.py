"""Runs an agent: `python -m consumers path/to/file.py:agent`, or `package.module:agent`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType

from coordinator.errors import CoordinatorError
from coordinator.log_lines import (
    LineArgumentParser,
    json_asked,
    print_line,
    tell_exceptions,
)
from coordinator.protocol.broker_address_check import check_address

from .agent import Agent
from .agent_process import BEING_IMPORTED

__all__ = ["CannotFind", "CannotImport", "find_agent", "main"]

TAKEN = sys.stdlib_module_names | {"consumers", "coordinator"}
"""Names of modules in whose place a file of the same name would be imported."""


class CannotFind(Exception):
    """Says that there is no such agent, and what was looked for."""


class CannotImport(Exception):
    """Says that the module of the agent raised ``exc`` while it was imported."""

    def __init__(self, place: str, exc: BaseException) -> None:
        (why,) = traceback.format_exception_only(exc)[-1:]
        super().__init__(f"{place} cannot be imported: {why.strip()}")
        self.exc = exc

    def print_traceback(self) -> None:
        """From the author's own code on."""
        own = _without_import(self.exc.__traceback__)
        traceback.print_exception(type(self.exc), self.exc, own)


def find_agent(where: str) -> Agent:
    """The agent that ``where`` names: ``file.py:name`` or ``module:name``; the name is `agent` if
    it is left out. Raises `CannotFind` or `CannotImport`.
    """
    place, _, name = where.rpartition(":") if ":" in where else (where, "", "")
    name = name or "agent"
    module = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    found = getattr(module, name, None)
    if isinstance(found, Agent):
        return found
    agents = [key for key, value in vars(module).items() if isinstance(value, Agent)]
    known = f"it has {', '.join(sorted(agents))}" if agents else "it has no agent at all"
    raise CannotFind(f"{place} has no agent named {name!r}: {known}")


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CannotFind(f"there is no file {path}")
    if path.stem in TAKEN and path.stem in sys.modules:
        raise CannotFind(
            f"{path} cannot be imported beside the module {path.stem}, which agents need: give the"
            " file another name"
        )
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotFind(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    with _importing(str(path)):
        spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise CannotFind(f"{name!r} is neither a module nor a file that ends in .py")
    sys.path.insert(0, str(Path.cwd()))
    with _importing(name):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
                raise  # something that the module itself needs
            raise CannotFind(f"there is no module {name}") from exc


@contextmanager
def _importing(place: str) -> Iterator[None]:
    """Nothing that a module does while it is imported ends the command as if all were well."""
    token = BEING_IMPORTED.set(True)
    try:
        yield
    except (CannotFind, KeyboardInterrupt):
        raise
    except BaseException as exc:
        raise CannotImport(place, exc) from exc
    finally:
        BEING_IMPORTED.reset(token)


def _without_import(frames: TracebackType | None) -> TracebackType | None:
    """What follows the frames of this module and of the import system."""
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if file not in (__file__, importlib.__file__) and not file.startswith("<frozen importlib"):
            break
        frames = frames.tb_next
    return frames


def main(arguments: list[str] | None = None, *, prog: str = "python -m consumers") -> int:
    if json_asked():
        tell_exceptions("consumers")
    parser = LineArgumentParser(prog=prog, description="Run an agent.")
    parser.add_argument("agent", help="path/to/file.py:name or package.module:name")
    parser.add_argument("--id", help="run under this id")
    parser.add_argument("--slots", type=int, help="do this many tasks at once")
    parser.add_argument("--metrics-port", type=int, help="tell Prometheus of it on this port")
    parser.add_argument("--metrics-host", help="address of that port (default: 127.0.0.1)")
    parser.add_argument(
        "--amqp-url",
        help="the broker (default: COORDINATOR_AMQP_URL, or the file that COORDINATOR_AMQP_URL_FILE names)",
    )
    given = parser.parse_args(arguments)
    try:
        _run(given)
    except CannotImport as exc:
        if not json_asked():
            exc.print_traceback()
        return _told(exc)
    except (CannotFind, CoordinatorError) as exc:
        return _told(exc)
    return 0


def _run(given: argparse.Namespace) -> None:
    changes = {
        "agent_id": given.id,
        "slots": given.slots,
        "amqp_url": given.amqp_url,
        "metrics_port": given.metrics_port,
        "metrics_host": given.metrics_host,
    }
    if given.amqp_url is not None:
        check_address(given.amqp_url, "--amqp-url")
    agent = find_agent(given.agent)
    agent.configure(**{name: value for name, value in changes.items() if value is not None})
    agent.run()


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
