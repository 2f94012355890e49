"""The page that follows a task names files and definitions; all of them exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from coordinator.protocol import topology

from .blocks import ROOT

PAGE = ROOT / "docs" / "life-of-a-task.md"
PAIR = re.compile(r"`((?:coordinator|consumers)/[\w/]+\.py)`\s+((?:`\w+`(?:,\s+)?)+)")
FILE = re.compile(r"`((?:coordinator|consumers|tests|deploy)/[\w/.-]*)`")
BROKER = re.compile(r"`?(coordinator\.[a-z]+)`?(?!\.py|[/\w])")


def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def defined(path: Path) -> set[str]:
    """Every class, function, constant and method of a module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.AsyncFunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case _:
                pass
    return found


def test_the_page_names_many_places() -> None:
    assert len(PAIR.findall(text())) > 30


@pytest.mark.parametrize("place", sorted(set(FILE.findall(text()))))
def test_a_file_that_the_page_names_exists(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("place", "name"),
    sorted(
        {
            (place, name)
            for place, names in PAIR.findall(text())
            for name in re.findall(r"\w+", names)
        }
    ),
)
def test_a_name_is_defined_where_the_page_says(place: str, name: str) -> None:
    assert name in defined(ROOT / place)


def test_exchanges_and_queues_that_the_page_names_are_in_the_topology() -> None:
    known = {exchange.name for exchange in topology.TOPOLOGY.exchanges}
    known |= {queue.name for queue in topology.TOPOLOGY.queues}

    named = set(BROKER.findall(text()))
    assert named
    assert named <= known
