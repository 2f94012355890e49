"""Calls and their repetitions, by a script in the place of the service."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.client.calls import page_walk, submission, task_calls, task_waiting
from coordinator.client.errors import (
    AnswerLost,
    ApiError,
    ClientError,
    Conflict,
    NotACoordinator,
    NotAllAccepted,
    NotAuthenticated,
    NotFound,
    NotSent,
    OutcomeUnknown,
    PayloadTooLarge,
    TaskCancelled,
    TaskDead,
    TaskExpired,
    TooManyRequests,
    Unavailable,
    Unsendable,
    WaitTimedOut,
)
from coordinator.client.exchange.http_messages import ApiAnswer, ApiRequest
from coordinator.client.exchange.programs import asked
from coordinator.client.models.accepted_tasks import Accepted
from coordinator.client.models.tasks import NewTask, Task, TaskOptions
from tests.unit.client.scripted_service import Script, answer

ACCEPTED = answer(task_id="t", priority="normal", submitted_at="2026-01-31T12:00:00+00:00")


def of_task(state: str, **fields: Any) -> ApiAnswer:
    return answer(task={"task_id": "t", "state": state} | fields)


def cyclic() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def test_a_submission_is_sent_again_with_the_same_key_and_body_until_it_is_answered() -> None:
    script = Script(
        exchanges=[
            NotSent("no"),
            AnswerLost("gone"),
            answer(503, detail="perhaps"),
            answer(409, headers={"retry-after": "1"}, detail="is being answered"),
            answer(429, headers={"retry-after": "2"}, detail="slowly"),
            ACCEPTED,
        ]
    )
    accepted, _ = script.run(asked(submission.submission({"n": 1}), script.now()))

    assert accepted.task_id == "t"
    assert len(script.requests) == 6
    assert len({(one.body, one.headers["Idempotency-Key"]) for one in script.requests}) == 1
    assert script.paused == [0.05, 0.1, 0.2, 1.0, 2.0]


def test_two_submissions_have_two_keys_and_one_of_the_callers_own_is_kept() -> None:
    calls = [submission.submission({}) for _ in range(2)]
    keys = {call.request.headers["Idempotency-Key"] for call in calls}
    assert len(keys) == 2
    mine = submission.submission({}, idempotency_key="order-4711")
    assert mine.request.headers["Idempotency-Key"] == "order-4711"


@given(
    answers=st.lists(st.sampled_from([0.0, 1.0, 7.0, 1e9]), min_size=40, max_size=40),
    total=st.floats(0, 60),
    takes=st.floats(0, 10),
)
def test_a_call_is_over_when_its_time_is(answers: list[float], total: float, takes: float) -> None:
    script = Script(
        exchanges=[
            answer(503, headers={"retry-after": str(int(after))}, detail="away")
            for after in answers
        ]
        * 20,
        takes=takes,
    )
    with pytest.raises(Unavailable, match="away"):
        script.run(asked(task_calls.task("t"), script.now(total_seconds=total)))
    assert script.seconds <= total + takes + 0.1


def test_a_call_that_is_not_safe_to_repeat_is_sent_again_only_where_nothing_was_done() -> None:
    script = Script(exchanges=[NotSent("no"), AnswerLost("gone")])
    with pytest.raises(AnswerLost):
        script.run(asked(task_calls.retry("t"), script.now()))
    assert len(script.requests) == 2


def test_retries_may_be_counted() -> None:
    script = Script(exchanges=[NotSent("no")] * 3)
    with pytest.raises(NotSent):
        script.run(asked(task_calls.task("t"), script.now(attempts=3)))
    assert len(script.requests) == 3


def test_ids_and_filters_are_encoded() -> None:
    assert task_calls.task("a/b c?").request.path == "/tasks/a%2Fb%20c%3F"
    page = task_calls.tasks(state="dead", priority=["low", "high"], capability="a b", limit=5)
    assert (
        page.request.path == "/tasks?capability=a+b&state=dead&priority=low&priority=high&limit=5"
    )


@pytest.mark.parametrize("odd", ["", ".", "..", "a\udcffb"])
def test_an_id_that_no_path_can_have_is_refused_before_another_path_is_asked_for(odd: str) -> None:
    """`DELETE /agents/..` would be sent as `DELETE /`."""
    with pytest.raises(Unsendable):
        task_calls.delete(odd)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), cyclic()])
def test_data_that_cannot_be_json_are_refused_in_a_sentence(odd: Any) -> None:
    with pytest.raises(Unsendable, match="cannot be JSON"):
        submission.submission({"n": odd})


def test_a_filter_that_is_no_text_is_refused() -> None:
    with pytest.raises(Unsendable, match="UTF-8"):
        task_calls.tasks(agent="\udcff")


@pytest.mark.parametrize("odd", ["clé", "a\nb", " a"])
def test_an_idempotency_key_that_no_header_can_have_is_refused(odd: str) -> None:
    with pytest.raises(Unsendable, match="Idempotency-Key"):
        submission.submission({}, idempotency_key=odd)


def test_fields_that_are_not_known_are_left_out_and_others_may_be_missing() -> None:
    script = Script(exchanges=[of_task("queued", colour="green", progress={"x": 1})])
    task, _ = script.run(asked(task_calls.task("t"), script.now()))
    assert task.state == "queued"
    assert task.progress is not None
    assert not task.ended


@pytest.mark.parametrize(
    "odd",
    [
        ApiAnswer(status=200, body=b"<html>"),
        ApiAnswer(status=200, body=b"[]"),
        answer(other=1),
        answer(task={"task_id": "t"}),
        answer(task={"task_id": ["t"], "state": "queued"}),
        ApiAnswer(status=307, headers={"location": "http://other.test/"}),
        ApiAnswer(status=404, body=b"not here"),
    ],
)
def test_what_is_no_answer_of_a_coordinator_is_said_to_be_none(odd: ApiAnswer) -> None:
    script = Script(exchanges=[odd])
    with pytest.raises(NotACoordinator):
        script.run(asked(task_calls.task("t"), script.now()))


def test_a_wait_asks_again_until_the_task_ends() -> None:
    script = Script(
        exchanges=[of_task("running"), AnswerLost("gone"), of_task("completed", result=1)]
    )
    task, _ = script.run(task_waiting.wait("t", script.now(), None))
    assert task_waiting.result_of(task) == 1
    assert {one.path for one in script.requests} == {"/tasks/t/wait?timeout=30.0"}


def test_a_wait_is_over_in_time_and_asks_for_no_more_than_is_left() -> None:
    script = Script(exchanges=[of_task("running")] * 3, takes=20)
    with pytest.raises(WaitTimedOut, match="Task t is still running after 45 seconds"):
        script.run(task_waiting.wait("t", script.now(), 45))
    assert [one.path.split("=")[1] for one in script.requests] == ["30.0", "25.0", "5.0"]


def test_a_wait_of_no_time_asks_once() -> None:
    script = Script(exchanges=[of_task("running")])
    with pytest.raises(TimeoutError):
        script.run(task_waiting.wait("t", script.now(), 0))
    assert [one.path for one in script.requests] == ["/tasks/t"]


@pytest.mark.parametrize(
    ("state", "kind"), [("dead", TaskDead), ("cancelled", TaskCancelled), ("expired", TaskExpired)]
)
def test_an_end_without_a_result_is_an_error_that_has_the_task(
    state: str, kind: type[Exception]
) -> None:
    task = Task(task_id="t", state=state)
    with pytest.raises(kind, match=f"Task t is {state}: no reason given") as raised:
        task_waiting.result_of(task)
    assert getattr(raised.value, "task", None) is task


def test_all_pages_are_walked() -> None:
    summary = {"task_id": "t", "state": "queued"}
    script = Script(
        exchanges=[answer(tasks=[summary], next_cursor="x"), answer(tasks=[], next_cursor=None)]
    )
    _, found = script.run(
        page_walk.every(lambda cursor: task_calls.tasks(cursor=cursor), script.now())
    )
    assert [one.task_id for one in found] == ["t"]
    assert [one.path for one in script.requests] == ["/tasks", "/tasks?cursor=x"]


def test_the_options_of_a_submission_are_the_fields_of_a_new_task() -> None:
    fields = NewTask.__dataclass_fields__.keys()
    assert TaskOptions.__annotations__.keys() == fields - {"task_data"}


# Many at once


def batch(request: ApiRequest, **verdicts: dict[str, Any]) -> ApiAnswer:
    """Accepts each task of the request under its number, but for those that have a verdict here."""
    assert request.body is not None
    numbers = [one["task_data"]["n"] for one in json.loads(request.body)["tasks"]]
    accepted = {"status": "accepted", "priority": "normal"}
    return answer(
        results=[
            {"index": index} | verdicts.get(f"n{n}", accepted | {"task_id": str(n)})
            for index, n in enumerate(numbers)
        ]
    )


def told(outcomes: list[submission.Outcome]) -> list[str]:
    return [one.task_id if isinstance(one, Accepted) else type(one).__name__ for one in outcomes]


@given(count=st.integers(0, 25), size=st.integers(1, 10), takes=st.integers(1, 10))
def test_many_are_submitted_in_batches_that_are_halved_where_they_are_too_large(
    count: int, size: int, takes: int
) -> None:
    def service(request: ApiRequest) -> ApiAnswer:
        assert request.body is not None
        if len(json.loads(request.body)["tasks"]) > takes:
            return answer(413, detail="too large")
        return batch(request)

    script = Script(exchanges=[service] * 100)
    tasks = [{"n": n} for n in range(count)]
    outcomes, _ = script.run(submission.submit_all(tasks, script.now(), batch_size=size))

    assert told(outcomes) == [str(n) for n in range(count)]
    keys = [one.headers["Idempotency-Key"] for one in script.requests]
    assert len(set(keys)) == len(keys)


def test_a_batch_is_of_a_bounded_size() -> None:
    script = Script(exchanges=[batch] * 10)
    tasks = [{"n": n, "text": "x" * 100} for n in range(5)]
    outcomes, _ = script.run(submission.submit_all(tasks, script.now(), largest=300))
    assert told(outcomes) == ["0", "1", "2", "3", "4"]
    assert len(script.requests) == 3


def test_a_batch_is_sent_again_under_its_key_while_some_are_not_decided() -> None:
    unknown = {"status": "unknown", "task_id": "mine"}
    away = {"status": "rejected", "error": {"status_code": 503, "detail": "away"}}
    script = Script(
        exchanges=[
            lambda request: batch(request, n0=unknown, n1=away),
            lambda request: batch(request, n1=away),
            batch,
        ]
    )
    tasks = [{"n": n} for n in range(3)]
    outcomes, _ = script.run(submission.submit_all(tasks, script.now()))
    assert told(outcomes) == ["0", "1", "2"]
    assert len({one.headers["Idempotency-Key"] for one in script.requests}) == 1


def test_what_is_wrong_with_one_task_keeps_no_other_from_being_submitted() -> None:
    wrong = {"status": "rejected", "error": {"status_code": 422, "detail": "no such priority"}}
    too_large = answer(413, detail="too large")
    script = Script(
        exchanges=[lambda request: batch(request, n1=wrong), lambda _: too_large, batch]
    )
    tasks = [{"n": n} for n in range(4)]
    outcomes, _ = script.run(submission.submit_all([*tasks[:2]], script.now(), batch_size=2))
    assert told(outcomes) == ["0", "InvalidRequest"]
    outcomes, _ = script.run(submission.submit_all([*tasks[2:]], script.now(), batch_size=1))
    assert told(outcomes) == ["PayloadTooLarge", "3"]
    assert isinstance(outcomes[0], PayloadTooLarge)


def test_where_nothing_was_accepted_the_error_is_raised_as_it_is() -> None:
    script = Script(exchanges=[answer(401, detail="who are you?")])
    with pytest.raises(NotAuthenticated):
        script.run(submission.submit_all([{"n": 1}], script.now()))


def test_where_some_were_accepted_the_others_have_the_error_that_ended_it() -> None:
    script = Script(exchanges=[batch, *[NotSent("no")] * 9])
    tasks = [{"n": n} for n in range(3)]
    outcomes, _ = script.run(submission.submit_all(tasks, script.now(attempts=3), batch_size=1))
    assert told(outcomes) == ["0", "NotSent", "NotSent"]


@pytest.mark.parametrize(
    ("body", "code"), [({"code": "task_not_found"}, "task_not_found"), ({}, None)]
)
def test_an_error_has_the_code_that_the_service_gave_it(
    body: dict[str, Any], code: str | None
) -> None:
    script = Script(exchanges=[answer(404, detail="Task not found", **body)])
    with pytest.raises(NotFound) as caught:
        script.run(asked(task_calls.task("t"), script.now()))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknown(status=503, detail="late", request="POST /x", body={"task_id": "t"}),
        TaskDead(Task(task_id="t", state="dead")),
        NotAllAccepted(handles=[None], errors={0: AnswerLost("lost")}),
        WaitTimedOut("not yet"),
    ],
)
def test_an_error_comes_out_of_a_pool_of_processes_as_it_was(error: ClientError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.__dict__.keys() == error.__dict__.keys()


def test_errors_are_one_tree() -> None:
    for kind in (Conflict, OutcomeUnknown, TooManyRequests):
        assert issubclass(kind, ApiError)
    assert issubclass(ApiError, ClientError)
    assert issubclass(WaitTimedOut, TimeoutError)
