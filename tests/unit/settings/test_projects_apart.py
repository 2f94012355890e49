"""Whether the log is folded in a process of its own is said, or goes by the cores that may be used."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.settings import Settings
from coordinator.settings import settings as module


@pytest.mark.parametrize(
    ("projector", "cores", "apart"),
    [
        ("auto", 2, False),
        ("auto", 3, True),
        ("own", 1, True),
        ("same", 64, False),
    ],
)
def test_the_default_goes_by_the_cores(
    projector: Any, cores: int, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_cores", lambda: cores)
    assert Settings(projector=projector).projects_apart is apart
