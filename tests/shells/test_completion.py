"""Completion in each shell, set up as docs/guides/command-line.md says, by the key that a person presses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coordinator.commands.cli import main
from tests.support.tools import tool

from .typed_line import what_becomes_of

Complete = Callable[[str], str]

LINES = [
    ("coordinator redr", "coordinator redrive"),
    ("coordinator schedules pau", "coordinator schedules pause"),
    ("coordinator tasks --stat", "coordinator tasks --state"),
    ("coordinator tasks --state inp", "coordinator tasks --state input_required"),
    ("coordinator health --key-file the-k", "coordinator health --key-file the-key"),
]

BASH = r"""
source coordinator.bash
bind -x '"\C-x": printf %s "$READLINE_LINE" >line; exit'
"""

ZSH = r"""
fpath=(~/.zfunc $fpath)
autoload -Uz compinit && compinit -u
tell() { print -r -- "$BUFFER" >line; exit }
zle -N tell
bindkey '^X' tell
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "the-key").touch()
    return tmp_path


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("typed", "completed"), LINES)
async def test_bash_completes_a_line(
    typed: str, completed: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bash = tool("bash", package="shells")
    (home / "coordinator.bash").write_text(script("bash", capsys))
    (home / ".bashrc").write_text(BASH)
    assert (await what_becomes_of(typed, home, bash, "-i")).rstrip() == completed


@pytest.mark.parametrize(("typed", "completed"), LINES)
async def test_zsh_completes_a_line(
    typed: str, completed: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zsh = tool("zsh", package="shells")
    (home / ".zfunc").mkdir()
    (home / ".zfunc" / "_coordinator").write_text(script("zsh", capsys))
    (home / ".zshrc").write_text(ZSH)
    assert (await what_becomes_of(typed, home, zsh, "-i")).rstrip() == completed


@pytest.mark.parametrize(("typed", "completed"), LINES)
def test_fish_completes_a_line(
    typed: str, completed: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fish = tool("fish", package="shells")
    completions = home / ".config" / "fish" / "completions"
    completions.mkdir(parents=True)
    (completions / "coordinator.fish").write_text(script("fish", capsys))
    # For a command that is not in the PATH it reads no completions.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told = subprocess.run(
        [fish, "--command", f"complete --do-complete '{typed}'"],
        env={"HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8"},
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    proposed = [line.partition("\t")[0] for line in told.stdout.splitlines()]
    assert proposed == [completed.rsplit(maxsplit=1)[-1]]
