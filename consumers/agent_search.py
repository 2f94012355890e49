"""Finds the agents that a command line names: `path/to/file.py:agent`, or `package.module:agent`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType

from .agent import Agent
from .agent_process import BEING_IMPORTED

__all__ = ["CannotFind", "CannotImport", "find_agent", "find_agents", "place_and_name"]

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
    (found,) = find_agents([where])
    return found


def find_agents(wheres: Sequence[str]) -> list[Agent]:
    """Those of one process, each as `find_agent` finds it. A file is imported once, however many of its
    agents are named.
    """
    files: dict[Path, ModuleType] = {}
    return [_find(where, files) for where in wheres]


def place_and_name(where: str) -> tuple[str, str]:
    """The file or module, and the name of the agent in it."""
    place, _, name = where.rpartition(":") if ":" in where else (where, "", "")
    return place, name or "agent"


def _find(where: str, files: dict[Path, ModuleType]) -> Agent:
    place, name = place_and_name(where)
    module = _load_file(Path(place), files) if place.endswith(".py") else _load_module(place)
    found = getattr(module, name, None)
    if isinstance(found, Agent):
        return found
    agents = [key for key, value in vars(module).items() if isinstance(value, Agent)]
    known = f"it has {', '.join(sorted(agents))}" if agents else "it has no agent at all"
    raise CannotFind(f"{place} has no agent named {name!r}: {known}")


def _load_file(path: Path, files: dict[Path, ModuleType]) -> ModuleType:
    if not path.is_file():
        raise CannotFind(f"there is no file {path}")
    whole = path.resolve()
    if whole in files:
        return files[whole]
    _check_stem(path, files)
    sys.path.insert(0, str(whole.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotFind(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    with _importing(str(path)):
        spec.loader.exec_module(module)
    files[whole] = module
    return module


def _check_stem(path: Path, files: dict[Path, ModuleType]) -> None:
    """A module has its name to itself in a process."""
    if path.stem in TAKEN and path.stem in sys.modules:
        raise CannotFind(
            f"{path} cannot be imported beside the module {path.stem}, which agents need: give the"
            " file another name"
        )
    for other in files:
        if other.stem == path.stem:
            raise CannotFind(
                f"{path} cannot be imported beside {other}, since both are the module {path.stem}:"
                " give one of them another name, or a process of its own"
            )


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
