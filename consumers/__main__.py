"""`python -m consumers path/to/file.py:agent`, or `package.module:agent`: run an agent."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from coordinator.errors import CoordinatorError

from .agent import Agent

__all__ = ["find_agent", "main"]


class CannotFind(Exception):
    """There is no such agent; the message says what was looked for."""


def find_agent(where: str) -> Agent:
    """The agent that ``where`` names: ``file.py:name`` or ``module:name``; the name is `agent` if
    it is left out. Raises `CannotFind`.
    """
    place, _, name = where.rpartition(":") if ":" in where else (where, "", "agent")
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
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotFind(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise  # something that the module itself needs
        raise CannotFind(f"there is no module {name}") from exc


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m consumers", description="Run an agent.")
    parser.add_argument("agent", help="path/to/file.py:name or package.module:name")
    parser.add_argument("--id", help="run under this id")
    parser.add_argument("--slots", type=int, help="do this many tasks at once")
    parser.add_argument("--amqp-url", help="the broker (default: COORDINATOR_AMQP_URL)")
    given = parser.parse_args(arguments)
    changes = {"agent_id": given.id, "slots": given.slots, "amqp_url": given.amqp_url}
    try:
        agent = find_agent(given.agent)
        agent.configure(**{name: value for name, value in changes.items() if value is not None})
        agent.run()
    except (CannotFind, CoordinatorError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
