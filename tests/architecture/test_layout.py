"""What a reader may rely on in the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("coordinator", "consumers", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_has_a_name_that_cannot_refuse_the_next_function(path: Path) -> None:
    assert path.stem not in SAY_NOTHING


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.name != "__init__.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_module_opens_with_what_it_is(path: Path) -> None:
    assert path.read_text().lstrip().startswith('"""')


def test_pins_name_versions_and_no_place_to_get_them_from() -> None:
    pins = (ROOT / "constraints.txt").read_text().split("\n")[:-1]
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin), pin
