"""The pieces of `make bench` fit together; its figures are nobody's test."""

from __future__ import annotations

import ast
import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.protocol.lanes import lane_name
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from tests.benchmarks import __main__ as bench
from tests.benchmarks.arena import in_turn
from tests.benchmarks.checkouts import checkout_of
from tests.benchmarks.contestants import ALL, LIMITS, PEERS
from tests.benchmarks.costs import Costs, note_costs
from tests.benchmarks.idle import extrapolated
from tests.benchmarks.idle_wakes import Lanes, lanes_of
from tests.benchmarks.load import submit_for, task_body
from tests.benchmarks.processes import cpu_seconds, memory
from tests.benchmarks.results import OURS, Results
from tests.benchmarks.scale import QUICK, WHOLE
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


def test_fleets_that_cost_more_and_more_are_told_by_the_power_of_their_size() -> None:
    floor = 0.5
    squares = [(size, floor + size**2 / 1000) for size in (25, 50, 100)]

    assert extrapolated(squares, 400, without=floor) == pytest.approx(floor + 160)


def test_without_an_option_all_is_measured_as_a_whole() -> None:
    given = bench.parsed([])

    assert given.items == [*bench.ITEMS]
    assert given.against is None
    assert not given.no_peers
    assert bench.scale_of(given) == WHOLE


def test_options_choose_items_another_commit_and_how_much() -> None:
    given = bench.parsed(
        [
            *("idle", "drain", "--against", "60bafb1", "--no-peers"),
            *("--agents", "50,400", "--queues", "10"),
            "--quick",
        ]
    )

    assert given.items == ["idle", "drain"]
    assert given.against == "60bafb1"
    assert given.no_peers
    assert bench.scale_of(given) == replace(QUICK, idle_agents=(50, 400), idle_lanes=(2,))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sumbit"], "no such item: sumbit; there are submit, batch"),
        (["--agents", "100,50"], "argument --agents: invalid"),
        (["--agents", "0"], "argument --agents: invalid"),
    ],
)
def test_what_cannot_be_measured_is_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench.parsed(arguments)

    assert told in capsys.readouterr().err


def test_the_lanes_of_an_idle_fleet_have_a_queue_for_each_priority() -> None:
    lanes = Lanes(lanes_of(10))

    assert lanes.queues == [
        TaskQueue(lane, priority).queue
        for lane in (
            lane_name(Requirements()),
            lane_name(Requirements(capabilities=("c1",))),
        )
        for priority in Priority
    ]
    made = json.loads(lanes.body(1, Priority.HIGH, seconds=2)())
    assert made["requirements"] == {"capabilities": ["c1"]}
    assert (made["priority"], made["task_data"]["seconds"]) == ("high", 2)


def test_each_round_begins_with_another() -> None:
    rounds = [in_turn(["a", "b", "c"], number) for number in range(4)]

    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


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


def test_what_each_party_costs_is_counted_to_its_own_end_and_noted_for_a_task() -> None:
    clocks = {"server": 100.0, "client": 7.0}
    costs = Costs(server=lambda: clocks["server"], client=lambda: clocks["client"])
    clocks |= {"server": 100.25, "client": 7.5}
    costs.stop("client")
    clocks |= {"server": 101.0, "client": 9.0}
    results = Results([], [])

    note_costs(results, OURS, costs.for_each(1000), where=", in a batch")

    assert results.table().splitlines()[2:] == [
        "|   CPU of the server, in a batch, µs a task   |       1 000 |",
        "|   CPU of the client, in a batch, µs a task   |         500 |",
        "|   CPU of all of these, in a batch, µs a task |       1 500 |",
    ]


def test_the_cpu_of_a_process_has_that_of_its_children_whichever_thread_started_them() -> None:
    work = "import time; [None for _ in iter(lambda: time.process_time() < 0.3, False)]"
    living = f"{work}; print('done', flush=True); input()"
    script = (
        "import subprocess, sys, threading\n"
        f"subprocess.run([sys.executable, '-c', {work!r}])\n"
        f"run = lambda: subprocess.run([sys.executable, '-c', {living!r}])\n"
        "threading.Thread(target=run).start()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        spent, kept = cpu_seconds(process.pid), memory(process.pid)
        process.communicate(b"\n")

    assert spent >= 0.58
    assert kept > 10 * 2**20


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
