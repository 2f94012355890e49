"""Reads the body of an error, and sees to it that it has what every error has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from coordinator.api.error_bodies import CODES, STATUS_CODES

__all__ = ["own_of", "said"]

KNOWN = {*CODES.values(), *STATUS_CODES.values(), "not_ready"}


def own_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` without what every error has; its sentence stays."""
    usual = {name: body[name] for name in ("status", "message", "code", "timestamp")}
    assert usual["status"] == "error"
    assert usual["message"] == body["detail"]
    assert usual["code"] in KNOWN
    told = datetime.fromisoformat(usual["timestamp"])
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=5)
    return {name: value for name, value in body.items() if name not in usual}


def said(answer: httpx.Response) -> dict[str, Any]:
    """What ``answer`` says beside that."""
    return own_of(answer.json())
