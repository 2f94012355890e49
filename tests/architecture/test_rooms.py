"""The house as a stranger finds it: small folders, maps, names that say one thing."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ("coordinator", "consumers")
MOST = 16
"""Modules of a folder, its map included."""

SIDES = (*HOUSE, "coordinator/client")
"""Each has words of its own. What a client of the API calls a task is not what the service does, and neither
imports the other: the words are those of the API on both."""

RESOURCES = ("coordinator/api/endpoints", "coordinator/api/wire")
"""By resource: an endpoint and what it reads and answers have the resource's name both."""


DESCRIBED = {"AgentStatus", "Priority", "State"}
"""Enumerations whose docstrings are sentences of the OpenAPI document, to who reads their values."""


def modules() -> list[Path]:
    found = [path for folder in HOUSE for path in (ROOT / folder).rglob("*.py")]
    assert len(found) > 200
    return sorted(path.relative_to(ROOT) for path in found)


def side_of(path: Path) -> str:
    """The smallest that the module is in."""
    return max((side for side in SIDES if path.is_relative_to(side)), key=len)


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def public_classes(path: Path) -> list[ast.ClassDef]:
    return [
        node
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def test_no_folder_holds_more_than_can_be_taken_in() -> None:
    held = Counter(path.parent for path in modules())
    assert {str(folder): number for folder, number in held.items() if number > MOST} == {}


@pytest.mark.parametrize("folder", HOUSE)
def test_every_folder_has_a_map_that_names_its_modules(folder: str) -> None:
    lost = []
    for face in (ROOT / folder).rglob("__init__.py"):
        told = ast.get_docstring(ast.parse(face.read_text())) or ""
        rooms = {path.stem for path in face.parent.glob("*.py")} - {"__init__", "__main__"}
        rooms |= {path.parent.name for path in face.parent.glob("*/__init__.py")}
        if face.parent.parts[-2] == "examples":  # one handler and what it needs: no map is asked
            rooms = set()
        missing = [room for room in sorted(rooms) if room not in told]
        if not told or missing:
            lost.append(f"{face.relative_to(ROOT)}: {', '.join(missing) or 'says nothing'}")
    assert lost == []


def test_no_first_line_begins_with_a_clause() -> None:
    """An actor, a verb and the term that one would search for, not "What is asked of an event"."""
    clauses = re.compile(r"(What|Who|How|Which|Whether|Why|Where|When)\b(?!.*\?$)")
    found = []
    for path in modules():
        documented: list[ast.Module | ast.ClassDef] = [parsed(path), *public_classes(path)]
        for node in documented:
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if clauses.match(first) and getattr(node, "name", "") not in DESCRIBED:
                found.append(f"{path}: {first}")
    assert found == []


@pytest.mark.parametrize("side", SIDES)
def test_no_two_modules_share_a_name(side: str) -> None:
    by_name = defaultdict(list)
    for path in modules():
        if side_of(path) != side or str(path.parent) in RESOURCES or "examples" in path.parts:
            continue
        by_name[path.stem].append(str(path))
    for faces in ("__init__", "__main__", "ports"):  # each package has one of its own
        by_name.pop(faces, None)
    assert {name: paths for name, paths in by_name.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("side", SIDES)
def test_no_term_is_defined_in_two_places(side: str) -> None:
    by_name = defaultdict(list)
    for path in modules():
        if side_of(path) == side:
            for defined in public_classes(path):
                by_name[defined.name].append(str(path))
    assert {name: paths for name, paths in by_name.items() if len(paths) > 1} == {}


def test_the_glossary_defines_each_word_once_and_in_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\*\*(.+?)\.\*\*", text, flags=re.MULTILINE)
    assert len(words) > 50
    assert words == sorted(set(words), key=str.casefold)
