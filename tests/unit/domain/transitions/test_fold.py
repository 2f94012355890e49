"""The law: what events make of a task, whatever their order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.task import ENDED, TRANSITIONS, State, Task
from coordinator.domain.task_totals import NOTHING, measure
from coordinator.domain.transitions.effects import CancelOnAgent, Folded, PublishAt
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.messages.events import CRASH_LOOP, AgentsTaskEvent, Event, TaskFailed
from coordinator.protocol.messages.task_message import Backoff
from tests.unit.domain.histories import (
    MAX_ATTEMPTS,
    RULES,
    START,
    agents_events,
    all_events,
    at,
    brokers_events,
    cancelled,
    completed,
    coordinators_events,
    dead_lettered,
    declined,
    expired,
    failed,
    folded,
    lost,
    progressed,
    started,
    submitted,
    too_large,
)

ONE_TASK = st.just("t")
ONE_ATTEMPT: dict[str, Any] = {"max_attempts": 1}


def cancels(*agent_ids: str, reason: str, generation: int = 1) -> tuple[CancelOnAgent, ...]:
    return tuple(
        CancelOnAgent(agent_id=agent_id, task_id="t", generation=generation, reason=reason)
        for agent_id in agent_ids
    )


# --- the way through --------------------------------------------------------------------------


def test_a_task_is_queued_then_running_then_completed() -> None:
    states = []
    task: Task | None = None
    for event in (submitted(), started(), completed()):
        task = fold(task, event).task
        states.append(task.state)
    assert states == [State.QUEUED, State.RUNNING, State.COMPLETED]
    assert task is not None
    assert (task.agent_id, task.attempt) == ("ada", 1)
    assert (task.submitted_at, task.started_at, task.ended_at) == (START, at(1), at(3))
    assert task.error is None


def test_a_task_that_fails_its_only_attempt_is_dead() -> None:
    end = fold(folded(submitted(**ONE_ATTEMPT), started()), failed(), RULES)
    assert end.task.state is State.DEAD
    assert end.task.error == {"type": "ValueError", "message": "no", "retryable": True}
    assert end.task.ended_at == at(3)
    assert end.effects == ()


def test_a_failure_with_attempts_left_waits_and_asks_for_the_next_attempt() -> None:
    end = fold(folded(submitted(), started()), failed(), RULES)
    assert end.task.state is State.WAITING
    assert end.task.ended_at is None
    (again,) = end.effects
    assert isinstance(again, PublishAt)
    assert (again.task_id, again.generation, again.attempt) == ("t", 1, 2)
    longest = RetryBackoff().first
    assert START + longest / 2 <= again.due <= START + longest


def test_a_failure_may_say_when_to_try_again() -> None:
    end = fold(folded(submitted(), started()), failed(retry_after_seconds=90), RULES)
    (again,) = end.effects
    assert isinstance(again, PublishAt)
    assert again.due == START + timedelta(seconds=90)


def test_a_failure_that_no_retry_mends_is_the_end() -> None:
    assert folded(submitted(), started(), failed(retryable=False)).state is State.DEAD


def test_the_next_attempt_is_queued_and_runs_with_what_the_last_one_reported() -> None:
    task = folded(submitted(), started(), progressed(0.5), failed(), submitted(attempt=2))
    assert (task.state, task.attempt, task.agent_id) == (State.QUEUED, 2, None)
    assert task.progress is not None
    assert task.progress["fraction"] == 0.5
    task = folded(started("bob", attempt=2, seconds=9), onto=task)
    assert (task.state, task.agent_id, task.started_at) == (State.RUNNING, "bob", at(9))
    assert task.progress is None


def test_the_last_of_several_attempts_ends_dead() -> None:
    history = [submitted(), started(), failed()]
    for attempt in range(2, MAX_ATTEMPTS + 1):
        history += [submitted(attempt=attempt), started(attempt=attempt), failed(attempt=attempt)]
    task = folded(*history)
    assert task.state is State.DEAD
    assert (task.starts, task.failures) == (MAX_ATTEMPTS, MAX_ATTEMPTS)


def test_a_task_may_have_its_own_pauses() -> None:
    own = Backoff(first_seconds=100, factor=3, longest_seconds=200)
    history = [submitted(backoff=own, max_attempts=9)]
    for attempt, longest in ((1, 100), (2, 200), (3, 200)):
        history.append(failed(attempt=attempt))
        (again,) = fold(folded(*history[:-1]), history[-1], RULES).effects
        assert isinstance(again, PublishAt)
        assert timedelta(seconds=longest / 2) <= again.due - START <= timedelta(seconds=longest)
        history.append(submitted(attempt=attempt + 1, backoff=own, max_attempts=9))


def test_a_scheduled_task_waits_for_its_time_and_is_then_queued() -> None:
    scheduled = fold(None, submitted(not_before=at(500)), RULES)
    assert scheduled.task.state is State.SCHEDULED
    assert scheduled.task.gone
    assert scheduled.effects == (PublishAt(task_id="t", generation=1, attempt=1, due=at(500)),)
    assert measure(scheduled.task).tasks_distributed == 0
    task = folded(submitted(), onto=scheduled.task)
    assert (task.state, task.published, task.gone) == (State.QUEUED, 1, False)
    assert measure(task).tasks_distributed == 1
    assert fold(task, submitted(not_before=at(500)), RULES) == Folded(task)


def test_a_scheduled_task_that_is_cancelled_never_comes() -> None:
    task = folded(submitted(not_before=at(500)), cancelled(), submitted(not_before=at(500)))
    assert task.state is State.CANCELLED
    assert task.gone


# --- fences -----------------------------------------------------------------------------------

AGAIN = {"crashes": 1}
"""As an agent says that was given the message of the attempt before, after another was lost over it."""


@pytest.mark.parametrize(
    "current",
    [
        [submitted(), started("ada"), lost("ada")],
        [submitted(), started("ada"), lost("ada"), submitted(attempt=2)],
        [
            *(submitted(), started("ada"), lost("ada")),
            *(submitted(attempt=2), started("bob", attempt=2), lost("bob", attempt=2)),
        ],
    ],
    ids=["waiting", "queued", "lost again"],
)
def test_work_done_is_done_also_late_while_no_later_attempt_is_under_way(
    current: list[Event],
) -> None:
    end = fold(folded(*current), completed("ada", attempt=1))
    assert (end.task.state, end.task.agent_id) == (State.COMPLETED, "ada")
    taken = fold(end.task, started("bob", attempt=2))
    assert taken.effects == cancels("bob", reason="completed")


@pytest.mark.parametrize("counts", [AGAIN, {}], ids=["counts crashes", "agent of before"])
def test_work_done_over_a_message_that_came_back_is_done_whoever_has_it_now(
    counts: dict[str, Any],
) -> None:
    task = folded(submitted(), started("ada"), started("bob", attempt=2, **counts))
    end = fold(task, completed("ada", attempt=1))
    assert (end.task.state, end.task.agent_id) == (State.COMPLETED, "ada")
    assert end.effects == cancels("bob", reason="completed")


def test_a_failure_of_an_attempt_that_is_not_current_counts_for_nothing() -> None:
    task = folded(submitted(), started("ada"), started("bob", attempt=2))
    end = fold(task, failed("ada", attempt=1))
    assert (end.task.state, end.task.attempt, end.task.agent_id) == (State.RUNNING, 2, "bob")
    assert end.effects == ()


@pytest.mark.parametrize(
    "late",
    [
        failed("mallory", retryable=False),
        declined("mallory"),
        failed("mallory", attempt=2, **AGAIN, retryable=False),
        failed("mallory", attempt=2, **AGAIN, error=CRASH_LOOP, retryable=False),
        declined("mallory", attempt=2, **AGAIN),
        started("mallory", attempt=2, **AGAIN),
        progressed(0.9, "mallory", attempt=2, **AGAIN),
    ],
)
@pytest.mark.parametrize(
    "current",
    [
        [submitted(), started(), failed()],
        [submitted(), started(), failed(), submitted(attempt=2)],
        [submitted(), started(), failed(), submitted(attempt=2), started("bob", attempt=2)],
    ],
    ids=["waiting", "queued", "running"],
)
def test_who_had_an_old_attempt_ends_and_begins_no_later_one(
    current: list[Event], late: Event
) -> None:
    before = folded(*current)

    after = fold(before, late, RULES)

    assert _where(after.task) == _where(before)
    assert after.effects == ()


@pytest.mark.parametrize(
    "late",
    [
        completed("mallory"),
        completed("mallory", attempt=2, **AGAIN),
        completed("mallory", attempt=3, crashes=2),
    ],
    ids=["as it was", "as if it came back", "twice"],
)
@pytest.mark.parametrize(
    "current",
    [
        [submitted(), started("mallory"), failed("mallory"), submitted(attempt=2)],
        [submitted(), started("mallory"), lost("mallory"), submitted(attempt=2)],
        [submitted(), started("mallory"), failed("mallory")],
    ],
    ids=["failed", "lost", "its message is told late"],
)
@pytest.mark.parametrize(
    "running",
    [
        started("bob", attempt=2),
        started("bob", attempt=3, **AGAIN),
        progressed(0.5, "bob", attempt=2),
    ],
    ids=["started", "after a crash", "its start is told late"],
)
def test_a_result_of_an_old_attempt_ends_none_that_runs(
    current: list[Event], running: Event, late: Event
) -> None:
    before = folded(*current, running)
    assert before.state is State.RUNNING

    after = fold(before, late, RULES)

    assert _where(after.task) == _where(before)
    assert after.effects == ()
    assert fold(after.task, _next(running), RULES).task.state is State.COMPLETED


def _next(running: Event) -> Event:
    """The result of who runs it."""
    data = running.data
    assert isinstance(data, AgentsTaskEvent)
    return completed(data.agent_id, attempt=data.attempt, crashes=data.crashes)


def _where(task: Task) -> tuple[Any, ...]:
    """What an attempt may change by its start and its end."""
    now = (task.state, task.attempt, task.agent_id, task.started_at, task.outcome, task.error)
    return (*now, task.published, task.started, task.failed, task.settled, task.failures)


def test_an_attempt_after_a_crash_over_the_same_message_counts_as_the_next_one() -> None:
    task = folded(submitted(), started(), started("bob", attempt=2, **AGAIN))
    assert (task.state, task.attempt, task.agent_id) == (State.RUNNING, 2, "bob")

    task = folded(failed("bob", attempt=2, **AGAIN), onto=task)
    assert (task.state, task.failed, task.failures) == (State.WAITING, 2, 1)


def test_work_done_after_a_crash_is_done_though_a_later_attempt_is_queued() -> None:
    task = folded(submitted(), submitted(attempt=2), completed("bob", attempt=2, **AGAIN))

    assert (task.state, task.attempt, task.agent_id) == (State.COMPLETED, 1, "bob")


def test_a_failure_counts_once_though_two_agents_report_it() -> None:
    task = folded(submitted(max_attempts=2), started("ada"), started("bob"), failed("ada"))
    again = fold(task, failed("bob"))
    assert again.task.state is State.WAITING
    assert again.task.failures == 1
    assert again.effects == ()


@pytest.mark.parametrize(
    "end",
    [completed(), cancelled(), expired(), dead_lettered("delivery_limit")],
    ids=lambda e: e.type,
)
def test_a_start_after_the_end_is_answered_with_a_cancel_command(end: Event) -> None:
    task = folded(submitted(), end)
    late = fold(task, started("bob"))
    assert late.task.state is task.state
    assert late.effects == cancels("bob", reason=task.state.value)


def test_progress_after_the_end_is_answered_with_a_cancel_command_too() -> None:
    task = folded(submitted(), started(), cancelled())
    assert fold(task, progressed(0.5)).effects == cancels("ada", reason="cancelled")


def test_a_start_that_is_folded_after_its_own_outcome_is_not_answered() -> None:
    task = folded(submitted(), completed(duration_seconds=2.0))
    late = fold(task, started())
    assert late.effects == ()
    assert late.task == task
    assert late.task.started_at == at(1)
    assert late.task.starts == 1


def test_every_agent_that_runs_a_cancelled_task_is_told() -> None:
    end = fold(folded(submitted(), started("ada"), started("bob", attempt=2)), cancelled())
    assert end.task.state is State.CANCELLED
    assert end.effects == cancels("ada", "bob", reason="cancelled")


def test_clearing_a_queue_does_not_end_an_attempt_that_is_newer_than_the_message_cleared() -> None:
    task = folded(submitted(), started(), failed(), submitted(attempt=2), started(attempt=2))
    assert folded(cancelled("cleared", attempt=1), onto=task) == task
    assert folded(cancelled("cleared", attempt=2), onto=task).state is State.CANCELLED


def test_a_deadline_passes_only_before_a_start() -> None:
    assert folded(submitted(), expired()).state is State.EXPIRED
    assert folded(submitted(), started(), expired()).state is State.RUNNING


# --- redrive ----------------------------------------------------------------------------------


def test_a_lost_attempt_is_a_failure_that_says_so_and_another_follows() -> None:
    end = fold(folded(submitted(), started()), lost(), RULES)
    assert (end.task.state, end.task.failed, end.task.failures) == (State.WAITING, 1, 1)
    assert end.task.error == {
        "type": "AttemptLost",
        "message": "nobody runs it",
        "retryable": True,
    }
    (again,) = end.effects
    assert isinstance(again, PublishAt)
    assert again.attempt == 2


def test_the_last_attempt_that_is_lost_ends_dead_and_its_agent_is_told() -> None:
    end = fold(folded(submitted(**ONE_ATTEMPT), started()), lost(), RULES)
    assert end.task.state is State.DEAD
    assert end.effects == cancels("ada", reason="dead")


@pytest.mark.parametrize(
    "seen",
    [lost("bob"), lost(attempt=2), lost(began=2), lost(generation=2)],
    ids=["another agent", "another attempt", "another start", "another generation"],
)
def test_a_loss_counts_only_while_the_attempt_is_as_it_was_seen(seen: Event) -> None:
    task = folded(submitted(), started())
    assert fold(task, seen) == Folded(task)


def test_an_attempt_that_ended_or_was_taken_up_by_another_agent_is_not_lost() -> None:
    for after in (completed(), failed(), cancelled(), started("bob"), started("bob", attempt=2)):
        task = folded(submitted(), started(), after)
        assert fold(task, lost()) == Folded(task)


def test_work_that_is_done_after_its_attempt_was_lost_counts_until_another_runs() -> None:
    lost_once = folded(submitted(), started(), lost(), submitted(attempt=2))
    end = fold(lost_once, completed("ada", seconds=9))
    assert (end.task.state, end.task.agent_id) == (State.COMPLETED, "ada")
    running = folded(started("bob", attempt=2), onto=lost_once)
    late = fold(running, completed("ada", seconds=9))
    assert (late.task.state, late.task.agent_id) == (State.RUNNING, "bob")
    assert late.effects == ()


def test_who_runs_a_lost_attempt_after_all_is_stopped_when_the_next_one_ends() -> None:
    task = folded(submitted(), started(), lost(), submitted(attempt=2), started("bob", attempt=2))
    assert fold(task, completed("bob", attempt=2)).effects == cancels("ada", reason="completed")


def test_a_late_failure_of_a_lost_attempt_counts_for_nothing() -> None:
    task = folded(submitted(), started(), lost())
    late = fold(task, failed(seconds=9), RULES)
    assert late.task == task._replace(runners=())
    assert late.effects == ()


@pytest.mark.parametrize(
    ("before", "attempt"),
    [
        ([submitted(not_before=at(60))], 1),
        ([submitted(), started(), failed()], 2),
        ([submitted(), declined()], 1),
        ([submitted()], 1),
    ],
    ids=["scheduled", "waiting", "given back", "queued on a broker that was given up"],
)
def test_a_task_that_the_broker_takes_no_more_is_dead_and_made_no_attempt(
    before: list[Event], attempt: int
) -> None:
    task = folded(*before)
    end = fold(task, too_large(attempt=attempt), RULES)
    assert (end.task.state, end.task.failures, end.task.attempt, end.effects) == (
        State.DEAD,
        task.failures,
        task.attempt,
        (),
    )
    assert end.task.error == {
        "type": "MessageTooLarge",
        "message": "store it elsewhere",
        "retryable": False,
    }
    redriven = folded(submitted(generation=2), onto=end.task)
    assert redriven.state is State.QUEUED
    assert folded(too_large(attempt=attempt), onto=redriven) == redriven


def test_a_task_that_has_found_its_way_to_an_agent_or_its_end_is_not_too_large() -> None:
    for after in (started(), completed(), cancelled()):
        task = folded(submitted(), after)
        assert fold(task, too_large()) == Folded(task)
    task = folded(submitted(), started(), failed())
    assert fold(task, too_large(attempt=1)) == Folded(task)
    assert fold(task, too_large(generation=2, attempt=2)) == Folded(task)


def test_an_attempt_is_lost_once_whoever_says_it() -> None:
    task = folded(submitted(), started(), lost())
    assert fold(task, lost()) == Folded(task)


def test_a_redrive_opens_a_new_generation_and_older_ones_are_only_ever_late() -> None:
    dead = folded(submitted(**ONE_ATTEMPT), started(), failed())
    task = folded(submitted(generation=2, **ONE_ATTEMPT), onto=dead)
    assert (task.state, task.generation, task.attempt) == (State.QUEUED, 2, 1)
    assert task.ended_at is None
    assert task.error is None
    for late in (completed(), failed(), cancelled(), dead_lettered("rejected")):
        assert folded(late, onto=task) == task
    told = fold(task, started("bob"))
    assert told.task == task
    assert told.effects == cancels("bob", reason="superseded")


def test_a_redriven_task_has_the_content_that_it_was_given_then() -> None:
    dead = folded(submitted(**ONE_ATTEMPT), started(), failed())
    task = folded(submitted(generation=2, max_attempts=5, expires_at=at(99)), onto=dead)
    assert (task.submission, task.max_attempts, task.expires_at) == ("t.2.1", 5, at(99))
    assert folded(submitted(generation=2), completed(generation=2), onto=dead).content == 2
    early = folded(completed(generation=2), submitted(generation=2), onto=dead)
    assert (early.state, early.content) == (State.COMPLETED, 2)


def test_an_agent_cannot_reopen_a_task_by_naming_a_later_generation() -> None:
    task = folded(submitted(), completed())
    assert fold(task, started("bob", generation=9)).task == task


# --- what the broker gives up -----------------------------------------------------------------


def test_a_rejected_message_is_a_failure_that_may_be_retried() -> None:
    assert folded(submitted(), started(), dead_lettered("rejected")).state is State.WAITING
    assert folded(submitted(**ONE_ATTEMPT), dead_lettered("rejected")).state is State.DEAD


def test_a_rejection_after_crashes_ends_the_attempt_that_is_current() -> None:
    """The broker knows the attempt of the message, not how often it was handed out."""
    task = folded(submitted(**ONE_ATTEMPT), started("ada"), started("bob", attempt=2))
    assert (
        folded(dead_lettered("rejected", attempt=1, **ONE_ATTEMPT), onto=task).state is State.DEAD
    )


def test_a_crash_loop_is_the_end_whatever_attempts_are_left() -> None:
    task = folded(submitted(), started(), dead_lettered("delivery_limit"))
    assert task.state is State.DEAD
    assert task.error is not None
    assert task.error["type"] == "CrashLoop"


def test_an_agent_that_refuses_a_crash_loop_is_not_counted_as_one_that_started() -> None:
    history = [submitted(), started("ada"), started("bob", attempt=2), started("ada", attempt=3)]
    refused = failed("cleo", attempt=3, error=CRASH_LOOP, retryable=False)
    task = folded(*history, refused)
    assert (task.state, task.attempt, task.agent_id) == (State.DEAD, 3, "ada")
    assert (task.starts, task.failures) == (3, 1)
    assert task.error == {**CRASH_LOOP.model_dump(exclude_none=True), "retryable": False}
    assert folded(submitted(), refused).starts == 0  # the others died before they could tell


def test_an_expired_message_is_the_end() -> None:
    assert folded(submitted(), dead_lettered("expired")).state is State.EXPIRED


def test_a_message_that_is_rejected_after_its_deadline_has_expired() -> None:
    told = dead_lettered("rejected", seconds=9)
    assert folded(submitted(expires_at=at(8)), told).state is State.EXPIRED
    assert folded(submitted(expires_at=at(10)), told).state is State.WAITING


def test_a_task_that_an_agent_rejects_too_early_is_neither_expired_nor_failed() -> None:
    """Its clock is ahead; the coordinator's decides."""
    limited = ONE_ATTEMPT | {"expires_at": at(60)}
    told = fold(folded(submitted(**limited)), dead_lettered("rejected", **limited), RULES)
    task = told.task
    assert (task.state, task.failures, task.max_attempts) == (State.WAITING, 0, 2)
    assert task.error is not None
    assert task.error["type"] == "RejectedTooEarly"
    (again,) = told.effects
    assert isinstance(again, PublishAt)
    assert again.attempt == 2
    assert again.due >= RULES.now + timedelta(seconds=1)

    queued = folded(submitted(attempt=2, **(limited | {"max_attempts": 2})), onto=task)
    twice = folded(dead_lettered("rejected", attempt=2, **limited), onto=queued)
    assert (twice.state, twice.max_attempts) == (State.WAITING, 3)
    last = folded(started(attempt=3), failed(attempt=3), onto=twice)
    assert (last.state, last.failures) == (State.DEAD, 1)


def test_a_task_is_not_looked_at_all_the_time_by_a_clock_that_is_ahead() -> None:
    limited: dict[str, Any] = {
        "expires_at": at(60),
        "backoff": {"first_seconds": 0.0, "factor": 1.0},
    }
    told = fold(folded(submitted(**limited)), dead_lettered("rejected", **limited), RULES)
    (again,) = told.effects
    assert isinstance(again, PublishAt)
    assert again.due == RULES.now + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("expires_at", "before"),
    [
        (at(60), [started()]),  # somebody had begun
        (at(9 + 2 * 86_400), []),  # no clock is so wrong
        (None, []),
    ],
)
def test_a_rejection_that_no_wrong_clock_explains_counts_as_a_failure(
    expires_at: datetime | None, before: list[Event]
) -> None:
    limited = ONE_ATTEMPT | {"expires_at": expires_at}
    task = folded(submitted(**limited), *before, dead_lettered("rejected", **limited))
    assert task.state is State.DEAD


@pytest.mark.parametrize(
    ("events", "gone"),
    [
        ([], False),
        ([cancelled()], False),
        ([cancelled(), started()], True),
        ([started(), completed()], True),
        ([cancelled("cleared")], True),
        ([dead_lettered("rejected")], True),
        ([started(), failed()], True),
        ([started(), failed(), submitted(attempt=2)], False),
        ([started(), failed(), submitted(attempt=2), cancelled("cleared", attempt=1)], False),
    ],
)
def test_a_message_is_gone_once_it_was_seen_to_leave_its_queue(
    events: list[Event], gone: bool
) -> None:
    assert folded(submitted(), *events).gone is gone


def test_the_broker_giving_up_an_older_message_is_late() -> None:
    task = folded(submitted(), started(), failed(), submitted(attempt=2))
    for reason in ("rejected", "delivery_limit", "expired"):
        assert folded(dead_lettered(reason, attempt=1), onto=task) == task


# --- out of order -----------------------------------------------------------------------------


def test_a_completion_before_the_submission_is_kept() -> None:
    task = folded(started(), completed(), submitted())
    assert task.state is State.COMPLETED
    assert task.known
    assert task.submitted_at == START


def test_a_failure_before_the_submission_is_decided_when_the_attempts_are_known() -> None:
    undecided = folded(started(), failed())
    assert undecided.state is State.WAITING
    assert not undecided.known
    assert fold(undecided, submitted(**ONE_ATTEMPT)).task.state is State.DEAD
    again = fold(undecided, submitted(), RULES)
    assert again.task.state is State.WAITING
    assert isinstance(again.effects[0], PublishAt)


def test_progress_proves_a_start_that_is_late_or_lost() -> None:
    task = folded(submitted(), progressed(0.5))
    assert (task.state, task.agent_id, task.starts) == (State.RUNNING, "ada", 1)
    assert folded(started(), onto=task).starts == 1


def test_a_task_that_an_agent_does_not_know_is_offered_again_without_an_attempt_counted() -> None:
    waiting = fold(folded(submitted()), declined(), RULES)
    task = waiting.task
    assert (task.state, task.attempt, task.failed, task.failures) == (State.WAITING, 1, 0, 0)
    assert task.error is not None
    assert "'ada' has no handler for tasks of the type 'no-op'" in task.error["message"]
    (again,) = waiting.effects
    assert isinstance(again, PublishAt)
    assert (again.attempt, again.due - RULES.now <= timedelta(seconds=1)) == (1, True)
    back = folded(submitted(republished=1), onto=task)
    assert back.state is State.QUEUED
    assert folded(started("bob"), completed("bob"), onto=back).state is State.COMPLETED


def test_a_task_that_nobody_knows_is_offered_ever_more_seldom() -> None:
    task, pauses = folded(submitted()), []
    for number in range(12):
        waiting = fold(task, declined(republished=number), RULES)
        (again,) = waiting.effects
        assert isinstance(again, PublishAt)
        pauses.append(again.due - RULES.now)
        task = folded(submitted(republished=number + 1), onto=waiting.task)
    assert pauses == sorted(pauses)
    assert timedelta(minutes=2) < pauses[-1] <= timedelta(minutes=5)
    assert (task.attempt, task.failed, task.state) == (1, 0, State.QUEUED)


def test_the_message_that_was_given_back_may_be_folded_after_that() -> None:
    """The agents and the log are told by two queues that commit on their own."""
    task = folded(declined(), submitted())
    assert (task.state, task.known, task.published) == (State.WAITING, True, 0)
    assert folded(submitted(republished=1), onto=task).state is State.QUEUED
    task = folded(submitted(), declined(), declined(republished=1), submitted(republished=1))
    assert task.state is State.WAITING
    assert folded(submitted(republished=2), onto=task).state is State.QUEUED


def test_an_older_attempt_that_is_given_back_changes_nothing() -> None:
    task = folded(submitted(), started(), failed(), submitted(attempt=2))
    assert folded(declined(attempt=1), onto=task) == task
    ended = folded(started(attempt=2), completed(attempt=2), onto=task)
    assert folded(declined(attempt=2), onto=ended) == ended


def test_the_lane_is_that_of_the_newest_message() -> None:
    moved: dict[str, Any] = {"republished": 1, "requirements": {"task_type": "no-op"}}
    task = folded(submitted(), submitted(**moved))
    assert (task.lane, task.state) == ("task:no-op", State.QUEUED)
    again: dict[str, Any] = {"requirements": {"task_type": "no-op"}}
    task = folded(submitted(), started(), failed(), submitted(attempt=2, **again))
    assert task.lane == "task:no-op"
    assert folded(submitted(republished=1), onto=task).lane == "task:no-op"


def test_clocks_that_disagree_make_no_negative_wait() -> None:
    task = folded(submitted(), started(seconds=-30))
    assert measure(task).first_start_micros == 0


@given(st.lists(all_events(ONE_TASK), max_size=12))
def test_an_ended_generation_never_reverses_and_the_fence_never_goes_back(
    events: list[Event],
) -> None:
    task: Task | None = None
    for event in events:
        before, task = task, fold(task, event).task
        if before is None:
            continue
        assert task.generation >= before.generation
        if task.generation > before.generation:
            continue
        assert task.state is before.state or task.state in TRANSITIONS[before.state]
        if before.state in ENDED:
            assert task.ended_at == before.ended_at
            assert task.outcome == before.outcome
        else:
            assert task.attempt >= min(before.attempt, task.attempt)
            assert (task.failed, task.started) >= (before.failed, before.started) or (
                task.failed >= before.failed and task.started >= before.started
            )


@given(st.lists(all_events(ONE_TASK), max_size=12))
def test_an_ended_task_has_an_end_and_one_that_goes_on_has_none(events: list[Event]) -> None:
    task: Task | None = None
    for event in events:
        task = fold(task, event).task
        if task.known:
            assert (task.ended_at is not None) == task.ended
            assert (task.outcome is not None) == task.ended


@given(
    st.lists(agents_events(ONE_TASK) | brokers_events(ONE_TASK), max_size=8),
    st.integers(0, 8),
    st.lists(coordinators_events(ONE_TASK), max_size=2),
)
def test_the_submission_may_be_folded_after_what_agents_and_the_broker_say(
    events: list[Event], position: int, decisions: list[Event]
) -> None:
    """It fills in the content, and the state is what it would have been.

    Only what becomes of a failure is open until then, since nobody knows yet whether attempts are
    left: what follows it in between, such as the completion by an older attempt, may count.
    """
    before = events[:position]
    assume(not any(isinstance(event.data, TaskFailed) for event in before[:-1]))
    first = folded(submitted(), *events, *decisions)
    later = folded(*before, submitted(), *events[position:], *decisions)
    assert later.known
    assert later._replace(submission=None) == first._replace(submission=None)


@given(st.lists(all_events(ONE_TASK), max_size=12))
def test_the_same_fact_told_again_at_once_changes_nothing(events: list[Event]) -> None:
    """Whatever the ledger's own check by id, a repetition under another id does no harm."""
    task: Task | None = None
    for event in events:
        task = fold(task, event).task
        again = fold(task, Event(data=event.data, time=event.time)).task
        assert again == task


@given(st.lists(all_events(st.sampled_from(["t", "u"])), max_size=16))
def test_how_the_events_of_two_tasks_interleave_does_not_matter(events: list[Event]) -> None:
    together: dict[str, Task] = {}
    for event in events:
        task_id = event.data.subject
        together[task_id] = fold(together.get(task_id), event).task
    for task_id, task in together.items():
        assert task == folded(*(e for e in events if e.data.subject == task_id))


@given(st.lists(all_events(ONE_TASK), max_size=12))
def test_the_totals_are_what_the_tasks_add_up_to(events: list[Event]) -> None:
    total = NOTHING
    task: Task | None = None
    for event in events:
        before, task = task, fold(task, event).task
        total = total.plus(measure(task).minus(measure(before)))
    assert total == measure(task)
    assert total.assignments_failed <= max(total.assignments, total.assignments_failed)
    assert min(total) >= 0


@given(st.lists(st.one_of(all_events(ONE_TASK), st.none()), max_size=14))
def test_whatever_came_before_a_running_attempt_is_lost_once_and_its_work_still_counts(
    events: list[Event | None],
) -> None:
    """None stands for the loss of what runs at that moment."""
    task = folded(submitted())
    for event in events:
        if event is not None:
            task = fold(task, event, RULES).task
        elif task.state is State.RUNNING:
            task = _check_loss(task)


def _check_loss(task: Task) -> Task:
    loss = lost(
        str(task.agent_id),
        task.attempt,
        generation=task.generation,
        started_at=task.started_at,
    )
    end = fold(task, loss, RULES)
    after = end.task
    assert after.state in (State.WAITING, State.DEAD)
    assert (after.failed, after.failures) == (task.attempt, task.failures + 1)
    assert (after.state is State.DEAD) == (task.attempt >= (task.max_attempts or 0))
    assert fold(after, loss, RULES) == Folded(after)
    late: dict[str, Any] = {
        "generation": task.generation,
        "attempt": task.attempt,
        "agent_id": task.agent_id,
    }
    assert fold(after, failed(**late), RULES).task.failures == after.failures
    done = fold(after, completed(**late), RULES).task
    assert done.state is (State.DEAD if after.ended else State.COMPLETED)
    return after
