"""Tells whoever started `coordinator up` which commands to type next: the demo, a key, an agent's user."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from coordinator.settings import Settings
from coordinator.settings.settings import default_data_dir

__all__ = ["agent_line", "demo_lines"]


_ROLES = ("--role", "reader", "--role", "producer")


def agent_line(settings: Settings) -> str:
    """For an agent's address, which no screen has to show."""
    return _typed(settings, "agents", "add", "ID", "--to", "FILE")


def demo_lines(settings: Settings, base: str) -> list[str]:
    """``base`` is where the API is."""
    port = base.rpartition(":")[2]
    if base.startswith("https:"):
        demo = f'make demo ARGS="--url https://localhost:{port}"'
    else:
        demo = f"make demo{'' if port == '9001' else f' PORT={port}'}"
    lines = [f"Try it in another terminal:  {demo}"]
    if settings.auth == "required":
        key = _typed(settings, "keys", "create", "--name", "demo", *_ROLES)
        lines.append(f"after giving it a key there:  export COORDINATOR_KEY=$({key})")
    return lines


def _typed(settings: Settings, *arguments: str) -> str:
    """A command of this very program, and for this folder."""
    called = Path(sys.argv[0])
    program = (
        [sys.argv[0]] if called.name == "coordinator" else [sys.executable, "-m", "coordinator"]
    )
    words = [*program, *arguments]
    if settings.data_dir != default_data_dir():
        words += ["--data-dir", str(settings.data_dir.absolute())]
    return shlex.join(words)
