"""Runs one command of the API: makes its client, and an exit status and one line of what goes wrong."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from coordinator.client import ClientError
from coordinator.errors import OperatorError
from coordinator.log_lines import print_line, printable

from .called_service import client_of, url_of
from .command_table import COMMANDS
from .commands.invocation import Invocation
from .error_sentences import sentence_of, status_of
from .exit_statuses import UNREAD, USAGE
from .printing.printer import Printer

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """The exit status. What was not done is one line on the standard error."""
    url = url_of(options.url)
    try:
        with client_of(options) as client:
            call = Invocation(
                options=options, client=client, printer=Printer(json=options.json), url=url
            )
            return COMMANDS[options.command](call)
    except ClientError as error:
        _tell(sentence_of(error, url))
        return status_of(error)
    except OperatorError as error:
        _tell(str(error))
        return USAGE
    except BrokenPipeError:
        _read_by_nobody()
        return UNREAD
    except OSError as error:
        _tell(f"The answer to `{options.command}` could not be written: {error.strerror or error}")
        _read_by_nobody()
        return USAGE


def _tell(sentence: str) -> None:
    print_line(
        printable(" ".join(sentence.split())),
        logger="coordinator",
        level=logging.ERROR,
        stream=sys.stderr,
        prefix="coordinator: ",
    )


def _read_by_nobody() -> None:
    """What is left in the buffers goes nowhere, as Python ends, too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
