"""Asks how a group of tasks stands, waits for its end, and cancels it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.groups import Group, GroupCancelled, GroupWaited

from .task_waiting import SLACK

__all__ = ["cancel_group", "group", "group_waited"]


def group(group_id: str) -> Call[Group]:
    """How many of its tasks are in which state."""
    return Call(request("GET", "groups", group_id), _group)


def group_waited(
    group_id: str,
    timeout: float = 30.0,
    *,
    until: Literal["all", "any"] = "all",
    more_than: int | None = None,
) -> Call[GroupWaited]:
    """The group when all of its tasks have ended, or one has, or after ``timeout`` seconds, 60 at most: one
    request, that waits. With ``until="any"``: that more have ended than ``more_than``.
    """
    query = {"timeout": round(timeout, 3), "until": until, "more_than": more_than}
    asked = request("GET", "groups", group_id, "wait", query=query)
    return Call(
        replace(asked, patience=timeout + SLACK), lambda answer: read_as(GroupWaited, answer)
    )


def cancel_group(
    group_id: str,
    reason: str | None = None,
    *,
    tags: Iterable[str] | None = None,
    limit: int | None = None,
) -> Call[GroupCancelled]:
    """End the tasks of the group that have not ended, or those of them that have all of these tags. One that
    has ended stays as it is, so that it may be repeated.
    """
    body = {"reason": reason, "tags": None if tags is None else list(tags), "limit": limit}
    asked = request("POST", "groups", group_id, "cancel", json_body=body, repeatable=True)
    return Call(asked, lambda answer: read_as(GroupCancelled, answer))


def _group(body: dict[str, Any]) -> Group:
    return read_as(Group, part(body, "group"))
