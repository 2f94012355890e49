"""Describes the answers about the service itself: its name, health and readiness."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success

__all__ = ["FindingsAnswer", "Health", "Live", "Ready", "Root", "Whoami"]


class Root(AnswerModel):
    service: str
    description: str
    version: str
    endpoints: list[str]


class Health(AnswerModel):
    status: Literal["healthy", "degraded"]
    service: Literal["agent-coordinator"]
    version: str
    timestamp: Instant
    problems: list[str] | None = Field(default=None, description="Where degraded: what is wrong.")


class FindingShape(AnswerModel):
    level: Literal["ok", "warning", "problem"]
    check: str = Field(
        description="What was looked at, as a stable word.", examples=["consumer-timeout"]
    )
    text: str = Field(
        description="One sentence.",
        examples=["The broker takes a task away from its agent after 24 h"],
    )
    fix: str | None = Field(
        description="The command, or the line, that puts it right; null where nothing is wrong.",
        examples=[None],
    )


class FindingsAnswer(AnswerModel):
    status: Success
    level: Literal["ok", "warning", "problem"] = Field(description="The most serious of them.")
    findings: list[FindingShape]
    examined_at: Instant
    timestamp: Instant


class Live(AnswerModel):
    status: Literal["alive"]
    timestamp: Instant


class Ready(AnswerModel):
    status: Literal["ready"]
    timestamp: Instant


class Whoami(AnswerModel):
    actor: str | None = Field(
        description="`key:NAME` or `jwt:SUBJECT`; null where the service asks for no credentials.",
        examples=["key:ops"],
    )
    roles: list[str] = Field(
        description="With those that they imply; all of them where nobody is asked.",
        examples=[["operator", "producer", "reader"]],
    )
    agent_id: str | None = Field(
        description="The agent that it may speak for, by the role `agent`.", examples=[None]
    )
