"""Holds what a command of the API is called with: its options, a client, and where it prints."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from coordinator.api_commands.error_sentences import sentence_of, status_of
from coordinator.api_commands.exit_statuses import DONE
from coordinator.api_commands.printing.printer import Printer
from coordinator.client import Client, ClientError, Retries
from coordinator.client.exchange.programs import Circumstances
from coordinator.errors import OperatorError

__all__ = ["Invocation"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """Is one call of a command."""

    options: argparse.Namespace
    client: Client
    printer: Printer
    url: str
    """Where the API is, for sentences."""

    def be_patient(self) -> None:
        """The service was there: what takes longer from now on goes on over its restart."""
        if self.options.retry is None:
            self.client.now = Circumstances(retries=Retries())

    def some(self, items: Iterator[Item]) -> list[Item]:
        """As many as `--limit` says, all where it is None."""
        return list(itertools.islice(items, self.options.limit))

    def each(self, names: Iterable[str], act: Callable[[str], object]) -> int:
        """Act on each; what goes wrong with one is told, and the others go on. The worst exit status."""
        worst = DONE
        for name in dict.fromkeys(names):
            try:
                act(name)
            except ClientError as error:
                self.printer.note(f"{name}: {sentence_of(error, self.url)}")
                worst = max(worst, status_of(error))
        return worst

    def agreed(self, what: str) -> bool:
        """Whether somebody at the terminal, or `--yes`, agrees to ``what``. Raises `OperatorError` where
        nobody can be asked.
        """
        if self.options.yes:
            return True
        if self.options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise OperatorError(f"{what}: give --yes, since there is no terminal to ask at")
        print(f"{what}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
