"""Builds the package as it would be published, and makes environments in which nothing else is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import ROOT

from .pinned_install import pinned_install

__all__ = ["Built", "Environment", "build", "installed", "sources_published_at"]

PATIENCE = 280.0
"""Seconds for an installation, on a machine that is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Names what was built."""

    wheel: Path
    sdist: Path


def build(sources: Path, folder: Path) -> Built:
    """The sdist of ``sources``, and the wheel of that sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    ended = subprocess.run(
        [*command, str(sources)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Built(wheel=wheel, sdist=sdist)


def sources_published_at(repository: str, folder: Path) -> Path:
    """A copy of what the wheel is made of, with this address in it."""
    for name in ("coordinator", "consumers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "README.md", "hatch_build.py"):
        shutil.copy(ROOT / name, folder)
    written = (ROOT / "pyproject.toml").read_text()
    filled_in = written.replace('\nrepository = ""\n', f'\nrepository = "{repository}"\n')
    assert filled_in != written
    (folder / "pyproject.toml").write_text(filled_in)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Runs programs where only the package is installed."""

    folder: Path

    def run(
        self,
        program: str,
        *arguments: str,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """``program`` is one of the environment's; nothing of the tests' environment is seen."""
        return subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=cwd or self.folder,
            env={**self.variables, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def variables(self) -> dict[str, str]:
        home = self.folder / "home"
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.defpath}",
            "HOME": str(home),
            "COLUMNS": "100",
        }


def installed(folder: Path, wheel: Path, extras: Sequence[str] = ()) -> Environment:
    """A new environment with ``wheel`` and these extras, of the versions that are pinned."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (folder / "home").mkdir()
    install(folder, f"{wheel}[{','.join(extras)}]" if extras else str(wheel))
    return Environment(folder=folder)


def install(folder: Path, *requirements: str, pinned: bool = True) -> None:
    """By uv where the tests' environment has it, else by pip; from the index of pip in either case. Where
    they are not ``pinned``, the requirements alone say of which version.
    """
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip"]
    tool = pinned_install()
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True)
    options = tool.uv_options(tool.pip_options(listed.stdout))
    uv = Path(sys.executable).with_name("uv")
    asked = ["--quiet", *(["--constraint", str(ROOT / "constraints.txt")] if pinned else [])]
    if uv.exists() and options is not None:
        command = [str(uv), "pip", "install", "--python", python, *asked, *options.arguments]
        environment = tool.with_told(os.environ, options.environment)
    else:
        command = [*pip, "--python", python, "install", *asked]
        environment = dict(os.environ)
    ended = subprocess.run(
        [*command, *requirements],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
