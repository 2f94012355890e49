"""What a registration over HTTP may hold, checked with a sentence for each refusal."""

from __future__ import annotations

from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import AGENT_WORDS, check_id, check_path_id
from coordinator.submission.request_limits import RequestLimits, check_data, check_names

from .schemas import RegisterAgent

__all__ = ["MAX_ENDPOINT", "check_registration"]

MAX_ENDPOINT = 2048
"""Characters in the URL of an endpoint."""


def check_registration(body: RegisterAgent, limits: RequestLimits) -> None:
    """Raises `InvalidRequest`. The type, and the lists of names, are the registrar's to check,
    since agents also register over the broker.
    """
    check_path_id(body.agent_id, "agent_id", field="agent_id", words=AGENT_WORDS)
    if body.version is not None:
        check_id(body.version, "version", field="version")
    endpoints = body.endpoints or {}
    check_names(list(endpoints), "endpoints", at_most=limits.max_names)
    if any(len(url) > MAX_ENDPOINT for url in endpoints.values()):
        raise InvalidRequest(
            f"endpoints holds a URL of more than {MAX_ENDPOINT} characters", field="endpoints"
        )
    check_data(body.metadata or {}, "metadata", limits)
