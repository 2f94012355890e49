"""Explains a running task beyond what the ledger has of it: whether its agent names it."""

from __future__ import annotations

from datetime import timedelta

from coordinator.domain.task import Question
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.queries.task_view import TaskView

__all__ = ["why_input_required", "why_running"]


def why_input_required(task_id: str, question: Question) -> str:
    """A sentence, with what ends the wait."""
    holds = (
        "and ended with that: another attempt follows"
        if question.released
        else f"and {question.agent_id!r} keeps a slot for it"
    )
    until = "" if question.until is None else f", until {question.until.isoformat()}"
    return (
        f"Attempt {question.attempt} has asked {question.question_id!r}, {holds}. It waits for an answer"
        f" by POST /tasks/{task_id}/input{until}."
    )


def why_running(task: TaskView, agents: LiveAgents, *, lost_after: timedelta) -> str:
    """A sentence or two; ``lost_after`` zero is never."""
    works = f"It does not wait: {task.agent_id!r} works on attempt {task.attempt}."
    known = agents.get(task.agent_id or "")
    key = task.task_id, task.generation
    if key in agents.in_hand() or task.agent_id in agents.claimed().get(key, ()):
        return works
    if known is None:
        doubt = "It is not known here as an agent now."
    elif (silence := agents.silence(known)) > agents.stale_after:
        doubt = f"It was not heard of for {silence.total_seconds():.0f} s."
    elif known.names_tasks and task.started_at is not None and known.heard_at > task.started_at:
        doubt = "Its last heartbeat does not name the task."
    else:
        return works
    return f"{works} {doubt}{_what_follows(lost_after)}"


def _what_follows(lost_after: timedelta) -> str:
    if not lost_after:
        return ""
    return (
        " Should that go on, and the task be on no queue, the attempt counts as lost after"
        f" {lost_after.total_seconds():.0f} s or more, and another may follow."
    )
