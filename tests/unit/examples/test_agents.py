"""The example agents, each task as it would be done, with no broker."""

from __future__ import annotations

import json
from typing import Any

import pytest

from consumers import Agent
from consumers.__main__ import find_agent
from consumers.examples.__main__ import main
from consumers.examples.documents.agent import agent as librarian
from consumers.examples.files.agent import agent as archivist
from consumers.examples.fleet import FLEET, fleet_of, ready_members
from consumers.examples.general.agent import agent as generalist
from consumers.examples.inference.agent import agent as interpreter
from consumers.examples.machine.agent import agent as inspector
from consumers.testing import Failed, run_task
from coordinator.demo.demo_tasks import mixed_batch
from coordinator.protocol.requirements import Profile
from tests.support.chat_endpoint import endpoint

AGENTS = [librarian, archivist, generalist, inspector, interpreter]


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "EXAMPLE_PLACES"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("agent", "data", "expected"),
    [
        (librarian, {"task_type": "word-count", "text": "One two. Three."}, {"words": 3}),
        (librarian, {"task_type": "word-count", "path": "library/on-queues.md"}, {"paragraphs": 8}),
        (librarian, {"task_type": "readability", "text": "The cat sat."}, {"verdict": "easy"}),
        (librarian, {"task_type": "keywords", "path": "library/on-clocks.md"}, {"beside": 5}),
        (
            librarian,
            {"task_type": "summary", "path": "library/on-fleets.md"},
            {"title": "On fleets"},
        ),
        (archivist, {"task_type": "describe", "path": "library/on-queues.md"}, {}),
        (
            archivist,
            {"task_type": "checksum", "path": "python/this.py"},
            {"path": "python/this.py"},
        ),
        (archivist, {"task_type": "inventory", "path": "library"}, {"unreadable": 0}),
        (archivist, {"task_type": "duplicates", "path": "library"}, {"groups": 0}),
        (inspector, {"task_type": "busy", "milliseconds": 10}, {}),
        (inspector, {"task_type": "disk-space", "path": "library"}, {}),
        (inspector, {"task_type": "system-facts"}, {}),
        (inspector, {"task_type": "load"}, {}),
        (generalist, {"model": "llama2", "prompt": "test prompt"}, {"model_asked_for": "llama2"}),
    ],
)
async def test_a_task_is_done(agent: Agent, data: dict[str, Any], expected: dict[str, Any]) -> None:
    result = (await run_task(agent, data)).result

    assert {key: result[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("agent", "data", "sentence"),
    [
        (librarian, {"task_type": "word-count"}, "needs a text, or the path"),
        (librarian, {"task_type": "word-count", "path": "/etc/passwd"}, "outside the folders"),
        (librarian, {"task_type": "word-count", "path": "library"}, "is a folder"),
        (librarian, {"task_type": "word-count", "path": 3}, "must be a string"),
        (librarian, {"task_type": "summary", "text": "x", "sentences": 0}, "from 1 to 50"),
        (librarian, {"task_type": "readability", "text": ""}, "no sentence"),
        (librarian, {"task_type": "survey", "path": "python/json"}, "no documents"),
        (archivist, {"task_type": "checksum", "path": "library/../../agent.py"}, "outside"),
        (archivist, {"task_type": "checksum", "path": "python/no.py"}, "There is no"),
        (archivist, {"task_type": "checksum", "path": "library"}, "is a folder"),
        (
            archivist,
            {"task_type": "checksum", "path": "python/this.py", "algorithms": ["x"]},
            "Unkn",
        ),
        (archivist, {"task_type": "duplicates", "path": "python/this.py"}, "is a file"),
        (generalist, {"anything": [1, 2]}, "no task_type and no prompt"),
        (interpreter, {"task_type": "chat", "prompt": "hello"}, "OPENAI_BASE_URL"),
    ],
)
async def test_a_mistake_ends_the_task_with_a_sentence(
    agent: Agent, data: dict[str, Any], sentence: str
) -> None:
    ran = await run_task(agent, data)

    assert sentence in ran.error.message
    assert isinstance(ran.outcome, Failed)
    assert not ran.outcome.retryable


@pytest.mark.parametrize(
    "data", [{"task_type": "keywrods", "path": "library"}, {"task_type": "chat", "prompt": "hello"}]
)
async def test_a_task_of_a_type_that_nobody_knows_is_refused_for_now(data: dict[str, Any]) -> None:
    ran = await run_task(generalist, data)

    assert f"No agent has announced the task_type {data['task_type']!r}" in ran.error.message
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable


async def test_work_on_many_files_tells_its_progress() -> None:
    ran = await run_task(librarian, {"task_type": "survey", "path": "library"})

    assert len(ran.result["documents"]) == len(ran.progress) >= 6
    assert ran.progress[-1].fraction == 1.0


async def test_a_bare_prompt_is_answered_and_the_result_says_how() -> None:
    result = (await run_task(generalist, {"model": "llama2", "prompt": "test prompt"})).result

    assert "No model has seen this prompt" in result["note"]
    assert result["words"] == 2


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.agent_id)
@pytest.mark.parametrize("data", [{"prompt": "hello"}, {"task_type": "word-cuont", "text": "a"}])
async def test_only_the_generalist_is_given_what_no_agent_announces(
    agent: Agent, data: dict[str, Any]
) -> None:
    if agent is generalist:
        await run_task(agent, data)
    else:
        with pytest.raises(LookupError):
            await run_task(agent, data)


async def test_with_an_endpoint_a_bare_prompt_goes_to_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with endpoint() as (url, seen):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        result = (await run_task(generalist, {"model": "small-1", "prompt": "What is it?"})).result

    assert (result["answered_by"], result["text"]) == ("model", "Forty-two.")
    assert seen.bodies[0]["messages"] == [{"role": "user", "content": "What is it?"}]


async def test_a_chat_may_bring_a_system_prompt_and_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = {"task_type": "chat", "system": "Be brief.", "prompt": "Hello?", "model": "m"}
    with endpoint() as (url, seen):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        await run_task(interpreter, data | {"parameters": {"temperature": 0}})

    assert seen.bodies[0]["temperature"] == 0
    assert [message["role"] for message in seen.bodies[0]["messages"]] == ["system", "user"]


async def test_a_chat_is_told_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [{"choices": [{"delta": {"content": text}}]} for text in ("Forty-", "two.")]
    body = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + "data: [DONE]\n\n"
    data = {"task_type": "chat", "prompt": "What is it?", "model": "m"}
    with endpoint(body=body, headers={"Content-Type": "text/event-stream"}) as (url, _):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        ran = await run_task(interpreter, data)
    assert ran.output == ["Forty-", "two."]
    assert ran.result["text"] == "Forty-two."


async def test_a_document_is_read_aloud_word_by_word() -> None:
    data = {"task_type": "read-aloud", "path": "library/on-queues.md", "words_per_second": 10_000}
    ran = await run_task(librarian, data)
    assert ran.output[0].startswith("#")
    assert ran.result == {"words": len(ran.output)}


@pytest.mark.parametrize(("status", "retryable"), [(503, True), (429, True), (401, False)])
async def test_only_what_time_can_mend_is_retryable(
    monkeypatch: pytest.MonkeyPatch, status: int, retryable: bool
) -> None:
    with endpoint(status, {"error": {"message": "no"}}) as (url, _):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        ran = await run_task(interpreter, {"task_type": "chat", "prompt": "x", "model": "m"})

    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable is retryable
    assert f"answered {status}: no" in ran.error.message


def test_the_fleet_names_agents_that_exist() -> None:
    for member in FLEET:
        assert find_agent(member.target).agent_id == member.agent_id


def test_the_fleet_leaves_the_id_of_the_first_curl_example_free() -> None:
    assert "hermes-agent" not in {member.agent_id for member in FLEET}


def test_an_agent_that_lacks_a_variable_is_not_in_the_fleet() -> None:
    without = {member.agent_id for member in ready_members({})}
    with_it = {member.agent_id for member in ready_members({"OPENAI_BASE_URL": "http://x"})}

    assert with_it - without == {"interpreter"}


def test_a_larger_fleet_has_members_twice_under_other_ids() -> None:
    ids = [member.agent_id for member in fleet_of(6, ready_members({}))]

    assert ids[4:] == ["generalist-2", "librarian-2"]
    assert len(set(ids)) == 6


def test_the_list_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--count", "2"]) == 0

    listed = json.loads(capsys.readouterr().out)
    assert [member["agent_id"] for member in listed] == ["generalist", "librarian"]
    assert set(listed[0]) >= {"agent_id", "target", "summary"}


async def test_the_fleet_can_do_all_that_the_demo_submits() -> None:
    """Each piece of work goes to every agent that has what it asks for, and its result can be told."""
    agents = [find_agent(member.target) for member in ready_members({})]
    works = {order.work.label: order.work for order in mixed_batch(100, lambda _: True)}

    for work in works.values():
        able = [agent for agent in agents if profile(agent).satisfies(work.asks)]
        assert able, f"nobody can do {work.label}"
        if work.task_data.get("path") == "python":
            continue  # the whole library of Python takes seconds; the files' tests do less
        for agent in able:
            assert work.tell((await run_task(agent, dict(work.task_data))).result)


def test_every_agent_has_a_part_in_the_demo() -> None:
    agents = [find_agent(member.target) for member in ready_members({})]
    asked = {order.work.asks for order in mixed_batch(40, lambda _: True)}

    for agent in agents:
        assert any(profile(agent).satisfies(wanted) for wanted in asked), agent.agent_id


def profile(agent: Agent) -> Profile:
    """As it is once the agent has registered."""
    return agent.options.profile(agent.handlers.announced)


def test_the_fleet_tells_of_each_agent_what_it_says_of_itself() -> None:
    told = {
        member.agent_id: (member.agent_type, {*member.capabilities}, {*member.services})
        for member in FLEET
    }
    options = [agent.options for agent in AGENTS]
    assert told == {
        one.agent_id: (one.agent_type, {*one.capabilities}, {*one.services}) for one in options
    }
