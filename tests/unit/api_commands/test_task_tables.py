"""What people read of a task and of why it waits, before a scripted API."""

from __future__ import annotations

import pytest

from coordinator.commands.cli import main

from .test_command_ends import answering, served


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str, **body: object
) -> list[str]:
    served(monkeypatch, answering(200, **body))
    assert main(words) == 0
    return capsys.readouterr().out.splitlines()


def test_an_agent_that_is_able_is_told_with_what_keeps_it_from_it_now(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    explained = {
        "task_id": "t",
        "state": "queued",
        "why": "1 of the 2 agents that may do it take work now; no tasks of its lane are ahead of it.",
        "lane": "task:load",
        "able": [
            {"agent_id": "ada", "status": "active", "why_not": []},
            {"agent_id": "bob", "status": "inactive", "why_not": ["it has said goodbye"]},
        ],
        "able_count": 3,
        "unable": [
            {"agent_id": "cid", "status": "active", "why_not": ["it lacks the capability 'x'"]}
        ],
        "unable_count": 1,
    }
    lines = [
        line.split() for line in printed(monkeypatch, capsys, "explain", "t", explanation=explained)
    ]
    assert ["able", "status", "why", "not", "now"] in lines
    assert ["ada", "active", "nothing", "keeps", "it", "from", "it"] in lines
    assert ["bob", "inactive", "it", "has", "said", "goodbye"] in lines
    assert ["and", "1", "more", "that", "are", "able"] in lines
    assert ["cid", "active", "it", "lacks", "the", "capability", "'x'"] in lines


def test_a_task_for_which_nobody_is_able_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    explained = {"task_id": "t", "state": "queued", "why": "Nobody.", "lane": "any"}
    lines = printed(monkeypatch, capsys, "explain", "t", explanation=explained)
    assert lines == ["Nobody.", "state  queued", "lane   any", "ahead  none", "able   none"]


def test_a_task_is_shown_with_what_it_requires(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = {"task_id": "t", "state": "queued", "requirements": {"capabilities": ["gpu"]}}
    lines = printed(monkeypatch, capsys, "task", "t", task=task)
    assert 'requires  {"capabilities": ["gpu"]}' in lines


def test_an_agent_is_told_with_how_many_of_its_slots_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = {"agent_id": "ada", "agent_type": "worker", "status": "busy", "slots": 4}
    agent["free_slots"] = 1
    by_http = {"agent_id": "bob", "agent_type": "worker", "status": "active", "slots": 2}
    silent = {"agent_id": "cid", "agent_type": "worker", "status": "stale"}
    agents = [agent, by_http, silent]
    lines = [line.split() for line in printed(monkeypatch, capsys, "agents", agents=agents)]
    assert [line[3] for line in lines] == ["slots", "3/4", "?/2", "-"]
    told = printed(monkeypatch, capsys, "agent", "ada", agent=agent, tasks=[])
    assert ["slots", "3/4", "taken"] in [line.split() for line in told]


def test_schedules_are_told_with_their_next_ticks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ticks = [f"2036-01-3{day}T12:00:00+00:00" for day in (0, 1)]
    nightly = {"schedule_id": "nightly", "cron": "0 3 * * *", "next_at": ticks[0]}
    paused = {"schedule_id": "paused", "cron": "0 3 * * *", "paused": True}
    schedules = [{**nightly, "next_ticks": ticks}, paused]
    _, *lines = printed(monkeypatch, capsys, "schedules", schedules=schedules, next_cursor=None)
    assert [("2036-01-31" in line, "2036-01-30" in line) for line in lines] == [
        (True, False),
        (False, False),
    ]
