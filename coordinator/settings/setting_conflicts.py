"""Finds two settings that contradict each other: each is fine alone, and together they cannot be meant.
Pure.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from coordinator.environment import ENV_PREFIX

__all__ = ["conflict"]


LONGEST_POST = timedelta(minutes=2)
"""Of one callback."""


class ComparedSettings(Protocol):
    """Holds what is compared of `settings.Settings`."""

    @property
    def heartbeat_interval(self) -> timedelta: ...
    @property
    def stale_after(self) -> timedelta: ...
    @property
    def remove_after(self) -> timedelta: ...
    @property
    def snapshot_interval(self) -> timedelta: ...
    @property
    def publish_timeout(self) -> timedelta: ...
    @property
    def idempotency_retention(self) -> timedelta: ...
    @property
    def max_body_bytes(self) -> int: ...
    @property
    def max_batch_bytes(self) -> int: ...
    @property
    def max_message_bytes(self) -> int | None: ...
    @property
    def callback_timeout(self) -> timedelta: ...
    @property
    def jwt_issuer(self) -> str | None: ...
    @property
    def jwt_audience(self) -> str | None: ...
    @property
    def jwt_jwks_url(self) -> str | None: ...
    @property
    def jwt_key_file(self) -> object | None: ...
    @property
    def tls_certificate(self) -> Path | None: ...
    @property
    def tls_key(self) -> Path | None: ...
    @property
    def tls_client_ca(self) -> Path | None: ...


def conflict(settings: ComparedSettings) -> str | None:
    """The first contradiction as a sentence that names both; None where there is none."""
    for low, high, why in (
        ("heartbeat_interval", "stale_after", "an agent would be stale between two heartbeats"),
        ("stale_after", "remove_after", "an agent would be removed before it is stale"),
        (
            "snapshot_interval",
            "remove_after",
            "agents that beat would be removed when a coordinator starts again",
        ),
    ):
        if not getattr(settings, low) < getattr(settings, high):
            return _sentence(settings, high, "greater than", low, why)
    if settings.idempotency_retention < 2 * settings.publish_timeout:
        return _sentence(
            settings,
            "idempotency_retention",
            "twice as long as",
            "publish_timeout",
            "a key would be forgotten while its request is being answered",
        )
    if settings.max_batch_bytes < settings.max_body_bytes:
        return _sentence(
            settings,
            "max_batch_bytes",
            "no less than",
            "max_body_bytes",
            "a task that may be sent alone would fit into no batch",
        )
    if settings.max_message_bytes and settings.max_message_bytes < settings.max_body_bytes:
        return _sentence(
            settings,
            "max_message_bytes",
            "no less than",
            "max_body_bytes",
            "a task that is let in would be refused when it is published",
        )
    if settings.callback_timeout > LONGEST_POST:
        return (
            f"{_shown(settings, 'callback_timeout')} must be no more than"
            f" {LONGEST_POST.total_seconds():.0f}: silent receivers would keep the others waiting"
        )
    return _jwt_conflict(settings) or _tls_conflict(settings)


def _jwt_conflict(settings: ComparedSettings) -> str | None:
    """JWTs need all that tells theirs from others'."""
    url = settings.jwt_jwks_url
    given = (settings.jwt_issuer, settings.jwt_audience, url or settings.jwt_key_file)
    if url and settings.jwt_key_file:
        return (
            "COORDINATOR_JWT_JWKS_URL and COORDINATOR_JWT_KEY_FILE are both set: unset one of them"
        )
    if any(given) and not all(given):
        return (
            "JWTs count only with COORDINATOR_JWT_ISSUER, COORDINATOR_JWT_AUDIENCE, and one of"
            " COORDINATOR_JWT_JWKS_URL and COORDINATOR_JWT_KEY_FILE: set all three, or none"
        )
    if url and urlsplit(url).scheme != "https" and urlsplit(url).hostname not in _THIS_MACHINE:
        return "COORDINATOR_JWT_JWKS_URL must be https: whoever is on the way could put keys of their own in"
    return None


def _tls_conflict(settings: ComparedSettings) -> str | None:
    """A certificate and its key come together, and clients are asked for theirs only where there are both."""
    if (settings.tls_certificate is None) is not (settings.tls_key is None):
        return f"{ENV_PREFIX}TLS_CERTIFICATE and {ENV_PREFIX}TLS_KEY belong together: set both, or neither"
    if settings.tls_client_ca is not None and settings.tls_certificate is None:
        return (
            f"{ENV_PREFIX}TLS_CLIENT_CA needs a service on https://: set {ENV_PREFIX}TLS_CERTIFICATE and"
            f" {ENV_PREFIX}TLS_KEY as well"
        )
    return None


_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def _sentence(settings: ComparedSettings, name: str, must_be: str, other: str, why: str) -> str:
    return (
        f"{_shown(settings, name)} must be {must_be} {_shown(settings, other)}: {why};"
        " change one of them"
    )


def _shown(settings: ComparedSettings, name: str) -> str:
    value = getattr(settings, name)
    if isinstance(value, timedelta):
        value = f"{value.total_seconds():.15g}"
    return f"{ENV_PREFIX}{name.upper()} ({value})"
