from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import consumers
from consumers import Agent, Task
from consumers.__main__ import CannotFind, find_agent, main
from consumers._link.registration_cache import RegistrationCache
from consumers._working.task_durations import TaskDurations
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.registration import RegisterReply, SourceOffer
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue


def test_the_public_names_are_these() -> None:
    assert set(consumers.__all__) == {
        "Agent",
        "ArtifactDamaged",
        "ArtifactMissing",
        "ArtifactReference",
        "ArtifactStoreRefused",
        "ArtifactStoreUnavailable",
        "Discard",
        "FollowUp",
        "Interceptor",
        "RetryLater",
        "RunningAgent",
        "SubmissionRefused",
        "Task",
    }
    assert all(hasattr(consumers, name) for name in consumers.__all__)


def test_making_an_agent_opens_nothing_and_checks_its_values() -> None:
    Agent("hermes-agent", capabilities=["analysis"], slots=4)
    wrong: list[dict[str, Any]] = [
        {"agent_id": ""},
        {"agent_id": "a\nb"},
        {"agent_id": "a", "slots": 0},
        {"agent_id": "a", "cancel_grace": timedelta(seconds=-1)},
        {"agent_id": "a", "on_lost_connection": "panic"},
        {"agent_id": "a", "capabilities": ["x" * 129]},
    ]
    for options in wrong:
        with pytest.raises(InvalidRequest):
            Agent(**options)


def test_a_type_has_one_handler() -> None:
    agent = Agent("a")
    agent.task("t")(lambda task: None)
    agent.default(lambda task: None)
    with pytest.raises(ValueError, match="already"):
        agent.task("t")(lambda task: None)
    with pytest.raises(ValueError, match="already"):
        agent.task()(lambda task: None)


def test_forgotten_parentheses_are_told() -> None:
    agent = Agent("a")

    def handler(task: Task) -> None: ...

    with pytest.raises(TypeError, match="parentheses"):
        agent.task(handler)  # type: ignore[arg-type]


def test_the_broker_is_that_of_the_agent_then_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "amqp://there/")
    assert Agent("a").options.broker_url() == "amqp://there/"
    assert Agent("a", amqp_url="amqp://here/").options.broker_url() == "amqp://here/"
    monkeypatch.delenv("COORDINATOR_AMQP_URL")
    assert Agent("a").options.broker_url() == "amqp://guest:guest@127.0.0.1:5672"


def test_the_reply_is_kept_on_disk_and_a_broken_one_is_no_reply(tmp_path: Path) -> None:
    def cache_of(url: str, *capabilities: str) -> RegistrationCache:
        profile = Agent("agent/7", capabilities=capabilities).options.profile()
        return RegistrationCache(tmp_path / "new", profile, amqp_url=url)

    cache = cache_of("amqp://me:secret@there/v")
    assert cache.load() is None
    reply = RegisterReply(sources=[SourceOffer.of(TaskQueue("any", Priority.LOW))])
    cache.save(reply)
    assert cache.load() == reply
    assert cache.path is not None
    (path,) = cache.path.parent.iterdir()
    assert path.name.startswith("agent__2F7.")
    assert cache_of("amqp://other:user@there/v").load() == reply
    assert cache_of("amqp://me:secret@there/other").load() is None
    assert cache_of("amqp://me:secret@there/v", "gpu").load() is None
    cache.path.write_text("{")
    assert cache.load() is None


def test_unknown_tasks_count_as_long_and_one_slow_task_is_soon_forgotten() -> None:
    pace, source = TaskDurations(lambda: 0.0), TaskQueue("any", Priority.LOW)
    assert pace.mean(source) >= 0.1
    for _ in range(30):
        pace.note(source, 0.0001)
    assert pace.mean(source) < 0.001
    pace.note(source, 3600)
    assert pace.mean(source) > 0.1
    for _ in range(30):
        pace.note(source, 0.0001)
    assert pace.mean(source) < 0.001


def test_where_tasks_came_from_lately_counts_for_more_than_where_they_came_from_before() -> None:
    pace, before, now = (
        TaskDurations(lambda: 0.0),
        TaskQueue("any", Priority.LOW),
        TaskQueue("any", Priority.HIGH),
    )
    for _ in range(1000):
        pace.note(before, 0.0001)
    assert pace.lately[before] <= 200
    for _ in range(300):
        pace.note(now, 0.0001)
    assert pace.lately[now] > pace.lately[before] > 0


def test_a_queue_over_which_agents_may_die_counts_as_unknown_for_a_while() -> None:
    clock = [0.0]
    pace, source = TaskDurations(lambda: clock[0]), TaskQueue("any", Priority.LOW)
    pace.note(source, 0.0001)
    quick = pace.mean(source)
    pace.distrust(source)
    pace.note(source, 0.0001)
    assert pace.mean(source) >= 0.1
    clock[0] += 3600
    assert pace.mean(source) < quick


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "my_agents.py"
        path.write_text(text)
        return str(path)

    return write


def test_an_agent_is_found_by_file_and_name(script: Callable[[str], str]) -> None:
    path = script("from consumers import Agent\nmine = Agent('mine')\nagent = Agent('default')\n")
    assert find_agent(f"{path}:mine").agent_id == "mine"
    assert find_agent(path).agent_id == "default"


def test_an_agent_is_found_by_module() -> None:
    with pytest.raises(CannotFind, match=r"no module consumers\.nowhere"):
        find_agent("consumers.nowhere:agent")
    with pytest.raises(CannotFind, match="no agent at all"):
        find_agent("consumers._working.task_durations:agent")


def test_a_users_mistake_is_told_in_one_line(
    script: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = script("from consumers import Agent\nmine = Agent('mine')\n")
    assert main([f"{path}:other"]) == 1
    assert main([f"{path}:mine", "--slots", "0"]) == 1
    assert main(["/nowhere/at-all.py:agent"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert told[0].endswith("has no agent named 'other': it has mine")
    assert told[1] == "error: slots must be 1 to 1000"
    assert told[2] == "error: there is no file /nowhere/at-all.py"
