"""Holds which JWTs count and what they grant, as the settings say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from .roles import Role

__all__ = ["JwtRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtRules:
    """Says which JWTs count, and what their claims grant."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    """Asymmetric ones alone."""
    leeway: timedelta
    """Between the clocks of the issuer and of this machine."""
    roles_claim: str
    """The claim with the roles: a list of words, or words with spaces between them. Dots lead into
    objects."""
    role_words: Mapping[str, Role]
    """What the words mean; others mean nothing."""
    agent_claim: str
    """The claim with the one agent's id, for the role `agent`."""
