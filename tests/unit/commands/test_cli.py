"""The command `coordinator` as an operator meets it: one line for each mistake, and no traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from coordinator.commands import cli, rebuild_command
from coordinator.errors import LedgerUnavailable
from tests.e2e.processes import ROOT

COMMANDS = (
    ["serve", "--amqp-url", "amqp://127.0.0.1:1/", "--port", "0"],
    ["up", "--port", "0"],
    ["doctor", "--amqp-url", "amqp://127.0.0.1:1/"],
    ["demo"],
    ["rebuild"],
)

WITHOUT_THE_EXTRA = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from coordinator.__main__ import main
sys.exit(main())
"""
SERVICE = {
    *("cronsim", "fastapi", "fastapi_swagger", "httpx", "rich", "sqlalchemy", "starlette"),
    *("uvicorn", "uvloop"),
}


def run(
    program: Sequence[str], arguments: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: one for name, one in os.environ.items() if not name.startswith("COORDINATOR_")}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("tasks --status queued", "coordinator tasks"),
        ("keys create --nonsense", "coordinator keys create"),
        ("schedules run nightly now", "coordinator schedules run"),
    ],
)
def test_what_a_command_does_not_know_is_told_with_its_own_usage(
    typed: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(typed.split())
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"usage: {command} ")
    assert "coordinator COMMAND" not in told


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda one: one[0])
def test_where_agents_alone_are_installed_the_extra_is_named(arguments: list[str]) -> None:
    ended = run(["-c", WITHOUT_THE_EXTRA.format(absent=SERVICE)], arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("coordinator: this command needs the extra `service` (")
    assert "pip install 'rabbitmq-agent-coordinator[service]'" in line


@pytest.mark.parametrize(
    "arguments", [["tasks"], ["agents"], ["top"], ["completion", "bash"]], ids=str
)
def test_commands_of_the_api_name_the_small_extra_that_they_need(arguments: list[str]) -> None:
    ended = run(["-c", WITHOUT_THE_EXTRA.format(absent={*SERVICE, "shtab"})], arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("coordinator: this command needs the extra `cli` (")
    assert "pip install 'rabbitmq-agent-coordinator[cli]'" in line


@pytest.mark.parametrize(
    "arguments",
    [["--url", "http://127.0.0.1:9002", "agents"], ["--url=http://127.0.0.1:9002"]],
    ids=str,
)
def test_an_option_before_the_command_is_said_to_come_after_it(arguments: list[str]) -> None:
    ended = run(["-m", "coordinator"], arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1].endswith(
        "error: --url comes after the command: coordinator COMMAND … --url …"
    )


def test_help_and_settings_need_no_extra() -> None:
    program = ["-c", WITHOUT_THE_EXTRA.format(absent=SERVICE)]
    assert run(program, ["--help"]).returncode == 0
    ended = run(program, ["serve"])
    assert ended.stderr.startswith("coordinator: No broker is named")
    assert "COORDINATOR_AMQP_URL_FILE" in ended.stderr  # a command line shows passwords to others


def test_a_module_of_our_own_that_is_missing_is_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coordinator.doctor", None)
    monkeypatch.delattr("coordinator.doctor", raising=False)
    with pytest.raises(ImportError):
        cli.main(["doctor"])


def test_a_service_whose_lines_nobody_reads_any_more_goes_on() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = "from coordinator.commands.subcommands import _say as say; say('one'); say('two')"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda one: one[0])
@pytest.mark.parametrize(
    "imported", ["coordinator.errors", "pydantic", "coordinator.settings.settings"]
)
def test_ctrl_c_while_it_imports_ends_it_without_a_traceback(
    arguments: list[str], imported: str
) -> None:
    """Sent when the module has just been imported, which Python tells when it is asked to."""
    command = [sys.executable, "-X", "importtime", "-m", "coordinator", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rstrip().endswith(f" {imported}"):
                break
        process.send_signal(signal.SIGINT)
        rest = [one for one in process.stderr if not one.startswith("import time:")]
    assert process.returncode == -signal.SIGINT
    assert rest == []


def test_ctrl_c_while_the_doctor_waits_ends_it_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"amqp://127.0.0.1:{silent.getsockname()[1]}/"
        command = [sys.executable, "-m", "coordinator", "doctor", "--amqp-url", url]
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            silent.accept()[0].close()
            process.send_signal(signal.SIGINT)
            printed = process.communicate()
    assert process.returncode == 130
    assert printed == ("", "")


def test_ctrl_c_while_the_demo_waits_ends_it_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "coordinator", "demo", "--url", url]
        with subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            client, _ = silent.accept()
            with client:
                client.recv(1)
                process.send_signal(signal.SIGINT)
                printed = process.communicate()
    assert process.returncode == 130
    assert printed == ("", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serve", "--port", "x"], "--port=x is not valid: give a whole number"),
        (["serve", "--port", "99999"], "--port=99999 is not valid: give 65535 or less"),
        (["serve", "--amqp-url", "localhost:5672"], "--amqp-url is not valid: the broker's"),
        (["up", "--data-dir", ""], "--data-dir= is not valid: it is empty"),
        (["doctor", "--amqp-url", ""], "--amqp-url is not valid: the broker's address is empty"),
        (["rebuild", "--data-dir", ""], "--data-dir= is not valid: it is empty"),
        (["rebuild", "--data-dir", "x" * 300], "cannot be read: File name too long"),
        (
            ["agents", "--url", "http://x", "list"],
            "--url: the actions of `coordinator agents` are about",
        ),
        (["demo", "--url", ""], "--url is empty"),
        (["demo", "--url", "::::"], "--url '::::' is not an address of HTTP"),
        (["demo", "--url", "http://[::1"], "is not an address of HTTP"),
        (["demo", "--url", "http://127.0.0.1:65536"], "is not an address of HTTP"),
        (["demo", "--url", "http://127.0.0.1:0"], "is not an address of HTTP"),
        (["demo", "--url", "ftp://127.0.0.1"], "is not an address of HTTP"),
    ],
)
def test_a_wrong_option_is_one_line(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("coordinator: ")
    assert sentence in line


def test_a_database_that_goes_away_meanwhile_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> None:
        raise LedgerUnavailable("The database cannot be used right now: disk I/O error")

    monkeypatch.setattr(rebuild_command, "run", fails)
    assert cli.main(["rebuild"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "coordinator: The database cannot be used right now: disk I/O error"


def test_a_demo_of_any_free_port_is_asked_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", "0")
    assert cli.main(["demo"]) == 1
    assert "name the one that was taken with --url" in capsys.readouterr().err


def test_a_variable_that_is_no_setting_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COORDINATOR_AMPQ_URL", "amqp://host/")
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", "1")
    assert cli.main(["demo"]) == 1
    warned, failed = capsys.readouterr().err.splitlines()
    assert "WARNING commands.subcommands: COORDINATOR_AMPQ_URL is not a setting" in warned
    assert "was COORDINATOR_AMQP_URL meant?" in warned
    assert "No coordinator answers" in failed


FULL = Path("/dev/full")
DOCTOR = ["doctor", "--amqp-url", "amqp://127.0.0.1:1"]
PRINTS = [["completion", "bash"], DOCTOR, ["tasks", "--help"], ["--version"]]


@pytest.mark.parametrize("arguments", PRINTS, ids=lambda one: one[0])
def test_an_answer_that_nobody_reads_ends_as_sigpipe_does_without_a_traceback(
    arguments: list[str], tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = printing(arguments, writing, tmp_path)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="no full disk here")
@pytest.mark.parametrize("arguments", PRINTS, ids=lambda one: one[0])
def test_an_answer_that_cannot_be_written_is_told_in_one_line(
    arguments: list[str], tmp_path: Path
) -> None:
    with FULL.open("wb") as full:
        ended = printing(arguments, full.fileno(), tmp_path)
    asked = "coordinator" if arguments[0].startswith("-") else arguments[0]
    said = f"The answer to `{asked}` could not be written: No space left on device"
    assert (ended.returncode, ended.stderr) == (1, f"coordinator: {said}\n")


@pytest.mark.skipif(not FULL.exists(), reason="no full disk here")
def test_what_the_command_of_agents_tells_and_cannot_write_is_told_in_one_line(
    tmp_path: Path,
) -> None:
    with FULL.open("wb") as full:
        ended = printing(["--help"], full.fileno(), tmp_path, module="consumers")
    said = "The answer to `python -m consumers` could not be written: No space left on device"
    assert (ended.returncode, ended.stderr) == (1, f"error: {said}\n")


@pytest.mark.parametrize(
    "command",
    [
        "coordinator tasks --url http://127.0.0.1:1",
        "consumers nowhere.py:agent",
    ],
)
def test_what_is_for_a_standard_error_that_was_closed_is_told_nowhere_else(command: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m {command} 2>&-'],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout == ""


def printing(
    arguments: list[str], output: int, data_dir: Path, *, module: str = "coordinator"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        # Where it is set, argparse writes past the buffer, and passes over what goes wrong.
        env={**os.environ, "COORDINATOR_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": ""},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
