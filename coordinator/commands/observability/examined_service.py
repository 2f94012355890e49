"""Has the service examine its broker and its ledger, as `coordinator doctor` does, where somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coordinator.bootstrap.replacements import Replacements
from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.shared_examination import SharedExamination
from coordinator.settings import Settings, unknown_settings

__all__ = ["examined_service"]


def examined_service(watched: Replacements, settings: Settings) -> Replacements:
    """``watched``, with an examination of what the ``settings`` name, as a doctor beside it is given them."""
    unknown = unknown_settings()

    async def examine() -> Sequence[Finding]:
        from coordinator.doctor.examination import told  # noqa: PLC0415 - loads much

        return await told(settings, unknown=unknown)

    return replace(watched, examine=SharedExamination(examine))
