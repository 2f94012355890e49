"""Writes the script by which a shell completes the command line: `coordinator completion`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

__all__ = ["completion_script"]


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Of all commands and options; values that are files are completed as such. A command has the first
    sentence of its help, as a list of them has room for.
    """
    for command in _commands(parser):
        command.description = _first_sentence(command.description or "")
        for action in command._actions:  # noqa: SLF001 - argparse has no other way to reach them
            if action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell=shell)


def _first_sentence(text: str) -> str:
    sentence, stop, _ = " ".join(text.split()).partition(". ")
    return f"{sentence}{stop}".strip()


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _commands(command)
