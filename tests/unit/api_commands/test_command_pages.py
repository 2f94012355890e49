"""The pages of help, what they promise, and the scripts that complete the command line."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.api_commands.arguments.argument_types import instant, seconds
from coordinator.api_commands.command_pages import API_COMMANDS
from coordinator.api_commands.command_table import COMMANDS
from coordinator.commands.argument_parser import COMMAND_GROUPS, argument_parser
from coordinator.commands.cli import main


def pages(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for page in action.choices.values():
                yield page
                yield from pages(page)


def examples() -> Iterator[str]:
    for page in pages(argument_parser()):
        _, _, told = (page.epilog or "").partition("examples:\n")
        yield from (line.strip() for line in told.partition("\n\n")[0].splitlines())


def test_every_command_of_the_api_has_a_page_and_a_function() -> None:
    named = {name for _, names in API_COMMANDS for name in names}
    assert named == COMMANDS.keys()
    parsed = {page.get_default("command") for page in pages(argument_parser())} - {None}
    assert {name for _, names in COMMAND_GROUPS for name in names} == parsed


@pytest.mark.parametrize("example", [one for one in examples() if one.startswith("coordinator ")])
def test_examples_of_the_help_can_be_typed(example: str) -> None:
    command = example.partition(" | ")[0].replace("$", "")
    argument_parser().parse_args(shlex.split(command)[1:])


def test_help_names_examples_and_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["submit", "--help"])
    told = capsys.readouterr().out
    assert "  coordinator submit keywords path=library/on-queues.md --priority high\n" in told
    assert "  3  no service answers, or it cannot do it now\n" in told
    assert "others on this" in " ".join(told.split())


def test_help_and_parsing_import_no_package() -> None:
    program = (
        "import sys; from coordinator.commands.argument_parser import COMMAND_GROUPS, argument_parser;"
        "argument_parser().parse_args(['tasks']);"
        "print(sorted({'pydantic', 'httpx', 'rich', 'shtab'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_completes_commands_and_options(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "redrive" in script
    assert "key-file" in script
    assert "tell-fd" not in script


def test_a_shell_says_of_a_command_its_first_sentence_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["completion", "fish"]) == 0
    script = capsys.readouterr().out
    assert "'Look at the broker and the ledger, and say what to put right and how.'" in script
    assert "an operator must fix something" not in script


@pytest.mark.parametrize(
    ("text", "found"), [("30", 30), ("1.5", 1.5), ("90s", 90), ("10m", 600), ("2h", 7200)]
)
def test_a_time_has_a_unit_or_is_in_seconds(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e999d", "m"])
def test_what_is_no_time_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="give 30, 90s"):
        seconds(text)


def test_an_instant_has_an_offset_or_is_so_long_ago() -> None:
    assert instant("2026-01-31T12:00+01:00") == datetime(2026, 1, 31, 11, tzinfo=UTC)
    assert instant("2026-01-31T12:00").tzinfo is not None
    ago = datetime.now(UTC) - instant("2h")
    assert abs(ago - timedelta(hours=2)) < timedelta(minutes=5)
    with pytest.raises(argparse.ArgumentTypeError, match="how long ago"):
        instant("yesterday")
