"""Makes a checkout of another commit, with an environment of its own, to be measured beside this one.

It lies in the user's cache, by the commit's whole name, and is made once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Checkout", "checkout_of"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Checkout:
    """Has the source of one commit, and in `.venv` what that commit pins."""

    name: str
    """The commit as git abbreviates it."""
    folder: Path

    @property
    def coordinator(self) -> str:
        """Its command `coordinator`."""
        return str(self.folder / ".venv/bin/coordinator")

    @property
    def python(self) -> str:
        return str(self.folder / ".venv/bin/python")


def checkout_of(commit: str, *, repository: Path = ROOT, cache: Path | None = None) -> Checkout:
    """The checkout of ``commit``, whatever git takes for one. Raises `SystemExit` with a sentence where there
    is no such commit here, or its environment cannot be made.
    """
    whole = _git(repository, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if not whole:
        raise SystemExit(f"--against {commit}: this repository has no such commit; fetch it first")
    name = _git(repository, "rev-parse", "--short", whole)
    folder = (cache or _cache()) / whole
    if not (folder / ".venv/made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", whole], cwd=repository, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
        made = subprocess.run(["deploy/venv.sh", ".venv"], cwd=folder, check=False)
        if made.returncode:
            raise SystemExit(f"--against {commit}: its environment in {folder} cannot be made")
        (folder / ".venv/made").touch()
    return Checkout(name, folder)


def _cache() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "agent-coordinator" / "bench"


def _git(repository: Path, *words: str) -> str:
    told = subprocess.run(
        ["git", *words], cwd=repository, stdout=subprocess.PIPE, text=True, check=False
    )
    return told.stdout.strip()
