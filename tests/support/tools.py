"""Programs that tests run: those of this machine, or what a target of the Makefile has fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.sources import must_have_a_broker

__all__ = ["tool"]


def tool(name: str, *, package: str) -> str:
    """The path of the program, which `make package` gets; without it the test is skipped, or fails in CI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    places = [cache / "agent-coordinator" / package / "usr" / place for place in ("bin", "sbin")]
    for found in (shutil.which(name), *(place / name for place in places)):
        if found is not None and Path(found).is_file():
            return str(found)
    missing = f"no {name} at hand: run `make {package}`"
    if must_have_a_broker():
        pytest.fail(missing)
    pytest.skip(missing)
