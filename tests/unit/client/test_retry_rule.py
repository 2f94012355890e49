"""Which requests are sent again, and after how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coordinator.client.errors import (
    AnswerLost,
    ApiError,
    ClientError,
    Conflict,
    InvalidRequest,
    NotACoordinator,
    NotAuthenticated,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RoleMissing,
    ServerError,
    TooManyRequests,
    Unavailable,
)
from coordinator.client.exchange.answer_errors import error_of, retry_after_of
from coordinator.client.exchange.http_messages import ApiAnswer, ApiRequest
from coordinator.client.exchange.retry_rule import Retries, pause_before_retry, worth_repeating
from tests.unit.client.scripted_service import answer

STATUSES = st.sampled_from([400, 401, 403, 404, 406, 409, 413, 422, 429, 500, 502, 503, 504, 507])
REQUEST = ApiRequest(method="POST", path="/tasks/submit")


def of_status(status: int, retry_after: float | None = None) -> ApiError:
    headers = {} if retry_after is None else {"retry-after": str(int(retry_after))}
    found = error_of(answer(status, headers=headers, detail="so it is"), REQUEST)
    assert isinstance(found, ApiError)
    return found


errors = st.one_of(
    st.just(NotSent("no")),
    st.just(AnswerLost("gone")),
    st.just(NotACoordinator("what?")),
    st.builds(of_status, STATUSES, st.none() | st.integers(0, 10**6).map(float)),
)


@given(
    error=errors,
    repeatable=st.booleans(),
    attempts=st.integers(1, 10_000),
    left=st.floats(0, 1000),
    chance=st.floats(0, 1),
    most=st.none() | st.integers(1, 5),
)
def test_no_pause_is_longer_than_what_is_left_nor_shorter_than_what_the_service_asks_for(
    error: ClientError,
    repeatable: bool,
    attempts: int,
    left: float,
    chance: float,
    most: int | None,
) -> None:
    retries = Retries(attempts=most)
    pause = pause_before_retry(
        error,
        repeatable=repeatable,
        attempts=attempts,
        left=left,
        chance=chance,
        retries=retries,
    )
    if pause is None:
        return
    assert worth_repeating(error, repeatable=repeatable)
    assert 0 <= pause < left
    assert most is None or attempts < most
    told = getattr(error, "retry_after", None) or 0.0
    assert max(told, retries.first_pause / 2) <= pause
    assert pause <= max(told * 1.1, 0.0 if told else retries.longest_pause, retries.first_pause)


@given(error=errors, left=st.floats(0, 1000))
def test_what_may_have_been_done_is_sent_again_only_where_that_is_safe(
    error: ClientError, left: float
) -> None:
    nothing_was_done = isinstance(error, NotSent | TooManyRequests) or (
        isinstance(error, Unavailable) and not isinstance(error, OutcomeUnknown)
    )
    assert worth_repeating(error, repeatable=False) == nothing_was_done
    assert worth_repeating(error, repeatable=True) >= nothing_was_done


@given(status=st.sampled_from([400, 401, 403, 404, 406, 413, 422, 500, 507]), again=st.booleans())
def test_what_no_wait_mends_is_not_sent_again(status: int, again: bool) -> None:
    assert not worth_repeating(of_status(status, 1), repeatable=again)


def test_a_conflict_is_waited_for_where_the_same_key_is_being_answered() -> None:
    assert worth_repeating(of_status(409, 1), repeatable=True)
    assert not worth_repeating(of_status(409), repeatable=True)
    assert not worth_repeating(of_status(409, 1), repeatable=False)


@pytest.mark.parametrize(
    ("status", "retry_after", "kind"),
    [
        (400, None, InvalidRequest),
        (401, None, NotAuthenticated),
        (403, None, RoleMissing),
        (404, None, NotFound),
        (409, None, Conflict),
        (418, None, InvalidRequest),
        (429, 3, TooManyRequests),
        (500, None, ServerError),
        (503, 5, Unavailable),
        (503, None, OutcomeUnknown),
    ],
)
def test_an_answer_is_an_error_of_its_own_kind(
    status: int, retry_after: int | None, kind: type[ApiError]
) -> None:
    found = of_status(status, retry_after)
    assert type(found) is kind
    assert (found.status, found.detail, found.retry_after) == (status, "so it is", retry_after)
    assert str(found) == f"POST /tasks/submit answered {status}: so it is"


def test_an_error_tells_the_fields_the_id_of_the_request_and_that_of_the_task() -> None:
    wrong = [{"field": "priority", "message": "no"}]
    invalid = error_of(
        answer(422, headers={"x-request-id": "r-1"}, detail="no", errors=wrong), REQUEST
    )
    assert isinstance(invalid, InvalidRequest)
    assert (invalid.errors, invalid.request_id) == (wrong, "r-1")
    unknown = error_of(answer(503, detail="perhaps", task_id="t"), REQUEST)
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.task_id == "t"


@given(st.text())
@example("Wed, 21 Oct 99999999999999999999 07:28:00 GMT")
def test_any_retry_after_is_a_number_of_seconds_or_none(told: str) -> None:
    found = retry_after_of({"retry-after": told}, now=datetime.now(UTC))
    assert found is None or found >= 0


def test_a_date_in_retry_after_is_so_many_seconds_away() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for seconds, expected in [(90, 90.0), (-90, 0.0)]:
        told = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        assert retry_after_of({"retry-after": told}, now=now) == expected


def test_a_redirect_is_told_and_a_page_of_a_proxy_is_one() -> None:
    assert "a redirect" in str(error_of(answer(307), REQUEST))
    page = error_of(answer(404), REQUEST)
    assert isinstance(page, NotACoordinator)
    html = ApiAnswer(status=502, headers={}, body=b"<html><body>502 Bad Gateway</body></html>")
    told = error_of(html, REQUEST)
    assert isinstance(told, ServerError)
    assert str(told) == (
        "POST /tasks/submit answered 502: a page of HTML, as a proxy before the coordinator gives one"
    )
    plain = ApiAnswer(status=502, headers={}, body=b"no upstream")
    assert str(error_of(plain, REQUEST)) == "POST /tasks/submit answered 502: no upstream"


def test_whoever_looks_on_is_told_at_once_that_nobody_answers_and_waits_for_who_asks_to() -> None:
    def pause(error: ClientError) -> float | None:
        return pause_before_retry(
            error,
            repeatable=True,
            attempts=1,
            left=30,
            chance=0,
            retries=Retries(while_unreachable=False),
        )

    assert pause(NotSent("no")) is None
    assert pause(of_status(429, 2)) == 2
    assert pause(of_status(503, 5)) == 5
