"""How findings look: in colour on a terminal, plain when piped, and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.checks.readable_amounts import names, size
from coordinator.doctor.report import as_json, show

LONG = "curl -f -u operator -X DELETE " + "http://rabbit:15672/api/queues/fleet/" + 80 * "x"
FINDINGS = [
    Finding.ok("version", "RabbitMQ 4.0.5"),
    Finding.warning("log", "No coordinator reads [the log]", "start one"),
    Finding.problem("queues", "The queue x has other arguments", LONG),
]


def shown(findings: list[Finding], *, terminal: bool) -> str:
    file = io.StringIO()
    show(findings, Console(file=file, force_terminal=terminal, width=60, highlight=False))
    return file.getvalue()


def test_piped_each_finding_and_each_fix_is_one_plain_line() -> None:
    assert shown(FINDINGS, terminal=False).splitlines() == [
        "ok       version           RabbitMQ 4.0.5",
        "warning  log               No coordinator reads [the log]",
        "         fix               start one",
        "PROBLEM  queues            The queue x has other arguments",
        f"         fix               {LONG}",
        "",
        "1 problem, 1 warning.",
    ]


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[" in shown(FINDINGS, terminal=True)


def test_all_well_is_said() -> None:
    assert shown(FINDINGS[:1], terminal=False).endswith("\nAll is well.\n")


def test_scripts_get_the_worst_level_and_every_finding() -> None:
    found = json.loads(as_json(FINDINGS))
    assert found["level"] == "problem"
    assert found["findings"][1] == {
        "level": "warning",
        "check": "log",
        "text": "No coordinator reads [the log]",
        "fix": "start one",
    }


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0 B"), (999, "999 B"), (50_000_000, "50 MB"), (3 * 10**12, "3 TB")]
)
def test_sizes_are_said_shortly(amount: int, text: str) -> None:
    assert size(amount) == text


def test_a_long_list_is_counted() -> None:
    assert names([*"abcde"]) == "a, b, c, d, e"
    assert names([*"abcdefgh"]) == "a, b, c, d, e and 3 more"
