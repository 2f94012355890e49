"""No command that a page or a file of `deploy/` shows has a password in it: other users see command lines in
the list of processes, and shells keep them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.commands.argument_parser import argument_parser

from .blocks import ROOT, pages

VALUE = r"""(?!["']?(?:\$\(|%s|/))(?:\S+)"""
"""What is written there; not what a command puts there (`$(…)`), a place that `printf` fills, or a path."""

PATTERNS = {
    "a variable is given a secret": rf"\b[A-Z_]*(?:PASSWORD|PASS|SECRET|TOKEN|KEY)=(?!\$\{{){VALUE}",
    "an address has a password": r"://[^\s/@:'\"]+:(?!%s@)[^\s/@]+@",
    "an option has a password": r"(?:--password|--pass|--passwd|sshpass -p)[ =]\S+",
    "an option has user and password": r"curl\b.*\s(?:--user|-u)[ =]?[\"']?[^\s:'\"]+:[^\s]+",
    "a header has a key": r"-H\s*[\"'](?:Authorization|X-API-Key)\b",
    "a query has a key": r"curl\b.*[?&]token=",
    "rabbitmqctl is given a password": r"\b(?:add_user|change_password)\s+[^\s`#]+\s+[^\s`#|]+",
}

SHOWN = [
    "RABBITMQ_PASSWORD=... docker compose up",
    "export COORDINATOR_SECRET=0123456789abcdef",
    "COORDINATOR_KEY=ackey_abc coordinator demo",
    "coordinator serve --amqp-url amqp://ada:hunter2@host:5672",
    "COORDINATOR_AMQP_URL=amqp://user:password@host:5672",
    'curl --silent --user "$RABBITMQ_USER:$RABBITMQ_PASSWORD" http://host',
    "curl -u ada:hunter2 http://host",
    'curl -H "Authorization: Bearer $KEY" http://host',
    "curl http://host/events?token=ackey_abc",
    "psql --password=hunter2",
    "rabbitmqctl add_user ada hunter2",
]
HIDDEN = [
    '(umask 077 && echo "RABBITMQ_PASSWORD=$(openssl rand -hex 24)" >> .env)',
    "export COORDINATOR_SECRET_FILE=/etc/secret",
    "COORDINATOR_TLS_KEY=/etc/coordinator/tls/key.pem",
    "export COORDINATOR_KEY=$(coordinator keys create --name me --role operator)",
    "COORDINATOR_AMQP_URL=$(cat plain-agent.url) python plain_agent.py",
    "curl -f -u operator -X DELETE http://rabbit:15672/api/queues",
    'curl() { command curl -H @<(printf \'Authorization: Bearer %s\' "$COORDINATOR_KEY") "$@"; }',
    "rabbitmqctl add_user ada  # asks for the password",
    "createuser --pwprompt coordinator",
    "printf 'amqp://coordinator:%s@rabbitmq:5672' \"$made\" > amqp-url",
]


def secrets_in(line: str) -> list[str]:
    return [why for why, pattern in PATTERNS.items() if re.search(pattern, line)]


def command_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Of a page its blocks of shell and its code between words; of any other file each line, comments too."""
    inside: str | None = None
    joined = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix != ".md":
            yield number, line
        elif line.lstrip().startswith("```"):
            inside = None if inside is not None else line.strip()[3:]
        elif inside is None and line.startswith("    "):
            yield number, line
        elif inside is None:
            yield from ((number, code) for code in re.findall(r"`([^`]+ [^`]+)`", line))
        elif inside in {"bash", "sh", "console", "text", ""}:
            joined += line.removesuffix("\\")
            if not line.endswith("\\"):
                yield number, joined
                joined = ""


FILES = [
    *pages(),
    *sorted((ROOT / "consumers").rglob("*.md")),
    *sorted((ROOT / "findings").rglob("*.md")),
    *(
        path
        for path in sorted((ROOT / "deploy").rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ),
    ROOT / "Makefile",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_command_has_a_secret_in_it(path: Path) -> None:
    found = [
        (number, why, line) for number, line in command_lines(path) for why in secrets_in(line)
    ]
    assert found == []


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_shows_a_secret_is_found(line: str) -> None:
    assert secrets_in(line)


@pytest.mark.parametrize("line", HIDDEN)
def test_a_command_that_shows_none_is_not(line: str) -> None:
    assert secrets_in(line) == []


def every_parser(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from every_parser(below)


def test_no_help_of_a_command_asks_for_a_password_among_its_words() -> None:
    parsers = list(every_parser(argument_parser()))
    assert len(parsers) > 10
    assert [one.prog for one in parsers if secrets_in(one.format_help().replace("\n", " "))] == []


def test_the_file_with_the_passwords_of_the_containers_is_kept_out_of_the_repository() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    let_in = (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in let_in
    assert "!deploy" not in let_in
