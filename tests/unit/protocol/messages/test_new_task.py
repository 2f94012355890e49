"""What is written of a new task is what the model of a task message would write, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import Backoff, Callback, TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
contents = st.dictionaries(texts, json_values, max_size=4)
instants = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - as hypothesis wants it
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=2, minutes=30))]),
)
seconds = st.none() | st.integers(1, 604800) | st.floats(0.001, 604800)
backoffs = st.builds(
    Backoff.model_construct,
    first_seconds=st.none() | st.floats(0, 9),
    factor=st.none() | st.floats(1, 9),
    longest_seconds=st.none() | st.floats(0, 9),
)
words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9)
"""Printable."""

requirements = st.builds(
    Requirements,
    agent_type=st.none() | texts,
    capabilities=st.lists(texts, max_size=3),
    services=st.lists(texts, max_size=3),
    agent_id=st.none() | texts,
    task_type=st.none() | texts,
)
callbacks = st.builds(
    Callback, url=texts, events=st.lists(texts, max_size=3).map(tuple), secret_ref=texts
)
new_tasks = st.builds(
    NewTask,
    task_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
    max_attempts=st.integers(1, 100),
    task_data=contents,
    priority=st.sampled_from(Priority),
    wanted=requirements,
    submitted_at=instants,
    task_token=texts,
    backoff=st.none() | backoffs,
    timeout_seconds=seconds,
    progress_timeout_seconds=seconds,
    not_before=st.none() | instants,
    expires_at=st.none() | instants,
    metadata=st.none() | contents,
    traceparent=st.none() | texts,
    submitted_by=st.none() | texts,
    tracestate=st.none() | texts,
    group=st.none() | words,
    tags=st.none() | st.lists(words, min_size=1, max_size=16).map(tuple),
    callback=st.none() | callbacks,
    parent_id=st.none() | words,
    cancel_with_parent=st.none() | st.integers(1, 9),
)


def as_validated(task: NewTask) -> TaskMessage:
    """By the model's own validation, field by field."""
    fields = task._asdict() | {"requirements": task.wanted.as_dict()}
    del fields["wanted"]
    return TaskMessage(**fields)


@given(new_tasks)
def test_it_is_the_message_of_the_model(task: NewTask) -> None:
    model = as_validated(task)

    assert task.to_message() == model.to_message()
    assert (task.message_id, task.source) == (model.message_id, model.source)


@given(new_tasks)
def test_its_model_is_what_a_reader_of_its_message_has(task: NewTask) -> None:
    assert task.model == as_validated(task)


def test_it_has_each_field_that_a_task_may_have_at_its_beginning() -> None:
    later = {"generation", "attempt", "previous_progress", "answers", "republished", "redriven_by"}
    ours = {"requirements" if name == "wanted" else name for name in NewTask._fields}

    assert ours == TaskMessage.model_fields.keys() - later
