"""Clocks, pauses, randomness and batch sizes are given to a constructor; no test patches them in a module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*")
CLOCKS = {"time", "random", "datetime", "asyncio"}
"""Modules whose functions a part is given as ``now=``, ``monotonic=``, ``rng=`` or in its timings."""
READ = {"sleep", "now", "time", "monotonic", "perf_counter", "uniform", "choice", "shuffle"}

MACHINES_CLOCK = ROOT / "tests" / "support" / "skewed_clock.py"
"""Sets the clock of a whole process wrong, as a machine's is: there the program must not be told."""


def patched(tree: ast.Module) -> list[str]:
    """What the tests of a file set in modules or classes that is to be given instead, as ``line: name``."""
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        for line, target, name in _set(node):
            root = target.partition(".")[0]
            of_a_module = root in imported | {"coordinator", "consumers"}
            clock = name in READ or bool(CLOCKS & set(target.split(".")))
            if of_a_module and (clock or CONSTANT.fullmatch(name)):
                found.append(f"{line}: {target}.{name}")
    return found


def _set(node: ast.AST) -> list[tuple[int, str, str]]:
    """Line, target and name of each attribute that ``node`` sets."""
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [
            (node.lineno, ast.unparse(one.value), one.attr)
            for one in targets
            if isinstance(one, ast.Attribute)
        ]
    if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr")):
        return []
    match node.args:
        case [ast.Constant(value=str(path)), *_]:
            target, _, name = path.rpartition(".")
            return [(node.lineno, target, name)]
        case [target, ast.Constant(value=str(name)), *_]:
            return [(node.lineno, ast.unparse(target), name)]
    return []


@pytest.mark.parametrize(
    "line",
    [
        "monkeypatch.setattr('coordinator.broker.connection.CONNECT_TIMEOUT', 3)",
        "from coordinator.broker import connection\nmonkeypatch.setattr(connection, 'PAUSE', 3)",
        "from coordinator.broker import connection\nconnection.PAUSE = 3",
        "import time\nmonkeypatch.setattr(time, 'monotonic', lambda: 0)",
        "from consumers import agent\nmonkeypatch.setattr(agent.random, 'uniform', lambda *_: 1)",
        "monkeypatch.setattr('coordinator.broker.connection.asyncio.sleep', at_once)",
    ],
)
def test_what_is_to_be_given_is_found(line: str) -> None:
    assert len(patched(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "from pathlib import Path\nmonkeypatch.setattr(Path, 'home', no_home)",
        "monkeypatch.setattr(world.ledger, 'read', away)",
        "self.RUNS = 3",
    ],
)
def test_what_a_test_has_made_or_what_is_no_clock_is_left(line: str) -> None:
    assert patched(ast.parse(line)) == []


def test_no_test_patches_a_clock_a_pause_or_a_size() -> None:
    found = []
    for path in sorted({*(ROOT / "tests").rglob("*.py")} - {MACHINES_CLOCK}):
        places = patched(ast.parse(path.read_text(), filename=str(path)))
        found += [f"{path.relative_to(ROOT)}:{place}" for place in places]
    assert found == []
