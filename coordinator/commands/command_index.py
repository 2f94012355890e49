"""Lists the commands of `coordinator` by what they are for, as its help shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.api_commands.command_pages import API_COMMANDS

__all__ = ["COMMAND_GROUPS", "index_text"]

COMMAND_GROUPS: Sequence[tuple[str, Sequence[str]]] = (
    ("start", ("up", "serve", "demo")),
    *API_COMMANDS,
    ("operate", ("doctor", "keys", "rebuild", "completion")),
)
"""All commands."""


def index_text(helps: Mapping[str, str]) -> str:
    """One line each, under headings. ``helps`` has the line of each command."""
    lines: list[str] = []
    for heading, names in COMMAND_GROUPS:
        lines += [f"{heading}:", *(f"  {name:<11} {helps[name]}" for name in names), ""]
    return "\n".join(lines)
