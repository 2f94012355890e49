"""A follow-up task is asked for until a coordinator answers that knows of such tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import coordinator
from consumers import SubmissionRefused
from consumers._link.follow_up_requests import FollowUpRequests
from consumers._values.follow_up_wish import FollowUpWish
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_requests.follow_up import FollowUpReply, FollowUpRequest
from coordinator.protocol.messages.registration import RegisterReply
from coordinator.protocol.priority import Priority
from tests.unit.consumers.link.answering import SOON, ScriptedCoordinators
from tests.unit.consumers.working.in_hand import attempt

WISH = FollowUpWish(request_id="=mail", submission={"task_data": {}})

UNKNOWN = Message(
    body=RegisterReply(error="no request is called 'submit-task'").to_json(), type="register"
)
TAKEN = Message(
    body=FollowUpReply(
        task_id="mail", priority=Priority.HIGH, submitted_at=datetime.now(UTC)
    ).to_json(),
    type="submit-task",
)
REFUSED = Message(
    body=FollowUpReply(error="too many", retry_after_seconds=5).to_json(), type="submit-task"
)
UNREADABLE = Message(body=b"{", type="submit-task")


async def test_it_is_asked_for_again_under_one_name_until_there_is_an_answer_that_can_be_read() -> (
    None
):
    script = [None, UNREADABLE, TAKEN]
    coordinators = ScriptedCoordinators(lambda number, _: script[number])
    requests = FollowUpRequests("ada", requests=coordinators.requests)
    assert (await requests.submit(attempt(1), WISH)).id == "mail"
    named = {FollowUpRequest.model_validate_json(one.body).request_id for one in coordinators.asked}
    assert named == {"=mail"}
    assert len({one.correlation_id for one in coordinators.asked}) == len(script)


async def test_a_refusal_is_raised_with_its_sentence() -> None:
    coordinators = ScriptedCoordinators(lambda *_: REFUSED)
    requests = FollowUpRequests("ada", requests=coordinators.requests)
    with pytest.raises(SubmissionRefused, match="too many") as refused:
        await requests.submit(attempt(1), WISH)
    assert refused.value.retry_after == 5


async def test_a_coordinator_that_does_not_know_the_request_has_not_answered_it() -> None:
    script = [UNKNOWN, UNKNOWN, TAKEN]
    coordinators = ScriptedCoordinators(lambda number, _: script[number])
    requests = FollowUpRequests("ada", requests=coordinators.requests)
    assert (await requests.submit(attempt(1), WISH)).id == "mail"


async def test_who_finds_none_that_knows_the_request_is_told_which_version_does() -> None:
    coordinators = ScriptedCoordinators(lambda *_: UNKNOWN)
    timings = replace(SOON, update_patience=timedelta(milliseconds=20))
    requests = FollowUpRequests("ada", requests=coordinators.requests, timings=timings)
    with pytest.raises(SubmissionRefused, match=f"version {coordinator.__version__}") as refused:
        await requests.submit(attempt(1), WISH)
    assert refused.value.retry_after is not None
    assert len(coordinators.asked) > 1
