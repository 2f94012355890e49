"""What a registration may hold, checked with a sentence for each refusal."""

from __future__ import annotations

from coordinator.errors import InvalidRequest
from coordinator.protocol.limits import check_id
from coordinator.submission.limits import Limits, check_data, check_names

from .schemas import RegisterAgent

__all__ = ["MAX_ENDPOINT", "check_registration"]

MAX_ENDPOINT = 2048
"""Characters in the URL of an endpoint."""


def check_registration(body: RegisterAgent, limits: Limits) -> None:
    """Raises `InvalidRequest`. Whether the type is a known one is the registry's to say."""
    most = limits.max_names
    check_id(body.agent_id, "agent_id", field="agent_id")
    for field, names in (
        ("capabilities", body.capabilities),
        ("services", body.services),
        ("tags", body.tags),
        ("endpoints", list(body.endpoints or ())),
    ):
        check_names(names or (), field, at_most=most)
    if any(len(url) > MAX_ENDPOINT for url in (body.endpoints or {}).values()):
        raise InvalidRequest(
            f"endpoints holds a URL of more than {MAX_ENDPOINT} characters", field="endpoints"
        )
    if body.version is not None:
        check_id(body.version, "version", field="version")
    check_data(body.metadata or {}, "metadata", limits)
