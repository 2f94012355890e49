"""What a reader may rely on in the tree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "service", "base"}


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert found
    return sorted(path.relative_to(ROOT) for path in found)


def test_no_module_has_a_name_that_cannot_refuse_the_next_function() -> None:
    named = [
        path for path in modules("coordinator", "consumers", "tests") if path.stem in SAY_NOTHING
    ]
    assert named == []


def test_every_module_opens_with_what_it_is() -> None:
    texts = {path: (ROOT / path).read_text() for path in modules("coordinator", "consumers")}
    silent = [path for path, text in texts.items() if not text.startswith('"""')]
    assert silent == []


def test_pins_name_versions_and_no_place_to_get_them_from() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin), pin
