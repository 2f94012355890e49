"""The pieces of `make bench` fit together; its figures are nobody's test."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.checkouts import checkout_of
from tests.benchmarks.contestants import ALL, LIMITS, PEERS
from tests.benchmarks.idle import extrapolated
from tests.benchmarks.load import submit_for, task_body
from tests.benchmarks.results import OURS, Results
from tests.benchmarks.starts import Starts
from tests.benchmarks.work import RECORD

PEERS_FOLDER = Path(bench.__file__).parent / "peers"
ROOT = Path(bench.__file__).parents[2]


def test_every_contestant_but_the_coordinator_has_its_file() -> None:
    files = {path.name.removesuffix("_peer.py") for path in PEERS_FOLDER.glob("*_peer.py")}

    assert files == {one.peer for one in ALL if one.peer}


@pytest.mark.parametrize("path", sorted(PEERS_FOLDER.glob("*_peer.py")), ids=lambda path: path.stem)
def test_every_peer_can_be_opened_filled_and_submitted_to(path: Path) -> None:
    tree = ast.parse(path.read_text())
    defined = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {"open_", "submit", "fill"} <= defined


def test_the_peers_are_served_by_the_projects_own_versions() -> None:
    ours = set((ROOT / "constraints.txt").read_text().split())
    theirs = (PEERS_FOLDER / "requirements.txt").read_text().split("\n\n")[1].split()

    assert theirs
    assert set(theirs) <= ours


def test_a_submission_has_as_many_bytes_as_it_says_and_tells_when_it_was_sent() -> None:
    made = json.loads(task_body(priority="urgent", bytes_=200)())

    assert 195 <= len(json.dumps(made["task_data"])) <= 205
    assert made["priority"] == "urgent"
    assert made["task_data"]["sent"] > 1.7e9


async def test_a_server_that_refuses_is_no_figure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(OSError, match="onnect"):
        await submit_for(f"http://127.0.0.1:{port}", task_body(), seconds=1)


def test_starts_are_counted_from_where_they_were_forgotten(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "starts")
    starts.path.write_bytes(RECORD.pack(1, 5) + RECORD.pack(2, 4))

    assert [start.at for start in starts.all()] == [4, 5]
    starts.forget()
    assert starts.count == 0


def test_beside_another_commit_the_table_has_the_ratio_to_it_alone() -> None:
    results = Results([], [], other="60bafb1")
    for ours, theirs in ((30, 10), (20, 10), (90, 8)):
        results.note("submit, tasks/s", OURS, ours)
        results.note("submit, tasks/s", "60bafb1", theirs)
    results.note("only ours", OURS, 1)

    assert results.table().splitlines() == [
        "| figure          | coordinator | 60bafb1 | ÷ 60bafb1 |",
        "| --------------- | ----------- | ------- | --------- |",
        "| submit, tasks/s |        30.0 |    10.0 |      3.00 |",
        "| only ours       |        1.00 |         |           |",
    ]


def test_larger_fleets_are_told_by_the_line_through_what_was_measured() -> None:
    assert extrapolated([(250, 3.0), (500, 5.0), (1_000, 9.0)], 5_000) == pytest.approx(41.0)


def test_a_commit_that_is_not_there_is_told() -> None:
    with pytest.raises(SystemExit, match="no such commit"):
        checkout_of("0000000")


def test_a_checkout_is_that_of_the_commit_with_an_environment_of_its_own_and_is_made_once(
    tmp_path: Path,
) -> None:
    repository, cache = tmp_path / "repository", tmp_path / "cache"
    (repository / "deploy").mkdir(parents=True)
    script = repository / "deploy/venv.sh"
    script.write_text('#!/bin/sh\nmkdir -p "$1" && echo made >> made-how-often\n')
    script.chmod(0o755)

    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True)

    git("init")
    for text in ("before", "after"):
        (repository / "text").write_text(text)
        git("add", ".")
        git("commit", "-m", text)

    made = checkout_of("HEAD~1", repository=repository, cache=cache)
    assert made == checkout_of("HEAD~1", repository=repository, cache=cache)

    assert (made.folder / "text").read_text() == "before"
    assert (made.folder / "made-how-often").read_text() == "made\n"
    assert made.python.startswith(str(cache))
    assert len(made.folder.name) == 40


def test_the_table_has_medians_and_the_ratio_to_the_best_peer() -> None:
    results = Results([one.name for one in PEERS], [one.name for one in LIMITS])
    for value in (10, 300, 20):
        results.note("submit, tasks/s", OURS, value)
    results.note("submit, tasks/s", PEERS[0].name, 4)
    results.note("submit, tasks/s", PEERS[1].name, 5)
    results.note("wait, ms", OURS, 3, less_is_better=True)
    results.note("wait, ms", PEERS[0].name, 6, less_is_better=True)
    results.note("wait, ms", PEERS[1].name, 12, less_is_better=True)

    head, rule, submits, waits = results.table().splitlines()

    assert head.split("|")[2].strip() == OURS
    assert {len(head), len(rule), len(submits), len(waits)} == {len(head)}
    assert submits.split("|")[2].strip() == "20.0"
    assert submits.split("|")[-2].strip() == "4.00"
    assert waits.split("|")[-2].strip() == "0.50"
