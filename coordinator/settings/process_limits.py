"""Says which limits each process counts by itself, where several processes serve HTTP, or may."""

from __future__ import annotations

from coordinator.environment import ENV_PREFIX

from .settings import Settings

__all__ = ["counted_apart"]

COUNTED_APART = ("rate_limit", "max_waiters")
"""The other quotas are counted in the ledger, or by what all processes hear."""


def counted_apart(settings: Settings) -> str | None:
    """A sentence for operators; None where one process counts all, or nothing is limited. Coordinators that
    share PostgreSQL cannot tell how many they are.
    """
    limits = [f"{ENV_PREFIX}{name.upper()}" for name in COUNTED_APART if getattr(settings, name)]
    workers = settings.http_workers
    if not limits or (workers == 1 and settings.database_url is None):
        return None
    where = [
        *([f"each of the {workers} workers"] if workers > 1 else []),
        *(["each coordinator on this database"] if settings.database_url is not None else []),
    ]
    return (
        f"{' and '.join(limits)}: {' and '.join(where)} counts by itself, so that a caller may have the limit"
        " as many times as there are processes that serve HTTP"
    )
