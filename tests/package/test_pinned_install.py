"""deploy/pinned_install.py: which installer, what it is told, and what is told of it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .pinned_install import pinned_install

INSTALL = pinned_install()

LISTED = """\
:env:.disable-pip-version-check='1'
:env:.find-links='/wheels/one /wheels/two'
global.cert='/etc/ssl/ca.crt'
global.constraint='/etc/pip/one.txt /etc/pip/two.txt'
global.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'
global.index-url='https://user:secret@index.example/simple'
global.find-links='/elsewhere'
install.timeout='60'
download.index-url='https://not.example/simple'
"""


def test_uv_is_told_what_pip_is() -> None:
    told = INSTALL.uv_options(INSTALL.pip_options(LISTED))
    assert told.environment == {
        "UV_DEFAULT_INDEX": "https://user:secret@index.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels/one,/wheels/two",
        "SSL_CERT_FILE": "/etc/ssl/ca.crt",
        "UV_HTTP_TIMEOUT": "60",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    assert told.arguments == ("--constraint=/etc/pip/one.txt", "--constraint=/etc/pip/two.txt")


@pytest.mark.parametrize("option", ["no-index", "proxy", "only-binary", "no-such-option"])
def test_where_pip_is_told_what_uv_cannot_be_pip_installs(option: str) -> None:
    assert INSTALL.uv_options({option: "x"}) is None


def test_variables_of_uv_that_are_set_count_more() -> None:
    environment = {"UV_DEFAULT_INDEX": "https://mine.example", "SSL_CERT_FILE": "/general.crt"}
    told = {"UV_DEFAULT_INDEX": "https://pips.example", "SSL_CERT_FILE": "/pips.crt"}
    assert INSTALL.with_told(environment, told) == {
        "UV_DEFAULT_INDEX": "https://mine.example",
        "SSL_CERT_FILE": "/pips.crt",
    }


def test_pip_itself_lists_what_is_read(tmp_path: Path) -> None:
    """Its files, its environment, and which of them counts more, as the pip at hand prints them."""
    (tmp_path / "pip.conf").write_text(
        "[global]\n"
        "index-url = https://file.example/simple\n"
        "trusted-host =\n    one.example\n    two.example\n"
    )
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={
            "PATH": os.environ["PATH"],
            "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"),
            "PIP_INDEX_URL": "https://environment.example/simple",
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = INSTALL.uv_options(INSTALL.pip_options(listed)).environment
    assert told["UV_DEFAULT_INDEX"] == "https://environment.example/simple"
    assert told["UV_INSECURE_HOST"] == "one.example two.example"


def test_what_the_installers_are_at_is_read_from_what_they_print() -> None:
    of_uv = [
        "Resolved 95 packages in 300ms\n",
        "Prepared 90 packages in 1s\n",
        " + anyio==4.16.0\n",
    ]
    assert list(INSTALL.steps(of_uv)) == ["fetching 95 packages", "putting them in place"]
    of_pip = [
        "Collecting aio-pika==10.2.1 (from -c constraints.txt)\n",
        "  Downloading aio_pika-10.2.1-py3-none-any.whl (53 kB)\n",
        "Collecting yarl\n",
        "Installing collected packages: aio-pika, yarl\n",
    ]
    assert list(INSTALL.steps(of_pip))[-2:] == [
        "fetching packages, 2 so far",
        "putting them in place",
    ]


def test_a_terminal_sees_one_line_that_moves_and_a_file_each_work_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(seen := tmp_path / "seen")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            if "fetching 7 packages" in text and seen.exists():  # the installer may end
                seen.write_text("")
                seen.unlink()
            return super().write(text)

    installer = f"print('Resolved 7 packages in 1ms', flush=True); open({str(seen)!r}).read()"
    monkeypatch.setattr(INSTALL, "TICK", 0.01)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    assert INSTALL.run("Installing", [sys.executable, "-c", installer]) is None
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown[1].startswith("Installing: ")
    assert any(line.startswith("Installing: fetching 7 packages, ") for line in shown)
    assert shown[-1] == ""

    monkeypatch.setattr(sys, "stdout", file := io.StringIO())
    assert INSTALL.run("Installing", [sys.executable, "-c", "print('Prepared 1')"]) is None
    assert file.getvalue() == "Installing ...\n"


def test_what_fails_is_told_also_where_it_printed_nothing() -> None:
    failed = INSTALL.run("Installing", [sys.executable, "-c", "print('no such package'); exit(3)"])
    assert failed == "no such package\n"
    assert INSTALL.run("Installing", ["false"]) == "false ended with 1\n"


@pytest.mark.parametrize("fails", ["uv", None])
def test_where_uv_cannot_do_it_pip_does_and_the_reason_is_told(
    fails: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(work: str, command: list[str], told: dict[str, str] | None = None) -> str | None:
        ran.append(command)
        return "Looking\nthe index has no uv\n" if command[-1] == fails else None

    monkeypatch.setattr(INSTALL, "run", run)
    monkeypatch.setattr(
        INSTALL, "uv_options", lambda _: INSTALL.UvOptions(environment={}, arguments=())
    )
    assert INSTALL.main() == 0
    installer = "pip" if fails else "uv"
    assert Path(ran[-1][0]).name == ("uv" if installer == "uv" else Path(sys.executable).name)
    assert ran[-1][-len(INSTALL.WANTED) :] == list(INSTALL.WANTED)
    assert ("pip is to: the index has no uv" in capsys.readouterr().out) is bool(fails)
