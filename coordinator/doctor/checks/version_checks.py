"""Checks the version of RabbitMQ against known defects. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.broker.connection import OLDEST_BROKER
from coordinator.doctor.facts.fact_types import Facts

from .finding import Finding

__all__ = ["check_version"]

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """Describes a defect of the versions from `since` on, until it was mended in `fixed`."""

    since: Version
    fixed: Version
    text: str


DEFECTS = (
    Defect(
        since=(3, 10),
        fixed=(3, 10, 12),
        text="the files of a quorum queue grow as consumers come and go",
    ),
    Defect(
        since=(3, 10),
        fixed=(4, 0, 3),
        text="an agent with a user of its own can publish in another agent's name",
    ),
    Defect(
        since=(4, 2),
        fixed=(4, 2, 7),
        text="a queue's dead letters can go to the wrong member of a cluster",
    ),
    Defect(
        since=(4, 3),
        fixed=(4, 3, 3),
        text="dead letters can stand still for good after a cluster's members change",
    ),
)
"""Those that concern what this project uses, from RabbitMQ's release notes."""


def check_version(facts: Facts) -> Iterator[Finding]:
    """It is new enough, and has no known defect."""
    version = facts.version
    if isinstance(facts.broker, str) or version is None:
        return
    told = f"RabbitMQ {facts.broker.version}"
    if not version:
        yield Finding.warning(
            "version",
            f"The broker calls itself {told}, which is no version that is known here",
            f"use RabbitMQ {_shown(OLDEST_BROKER)} or later",
        )
    elif version < OLDEST_BROKER:
        yield Finding.problem(
            "version",
            f"{told} is too old: its quorum queues lose what they dead-letter",
            f"update it to {_shown(OLDEST_BROKER)} or later",
        )
    elif found := [one for one in DEFECTS if one.since <= version < one.fixed]:
        yield Finding.warning(
            "version",
            f"{told} has known defects: {'; '.join(one.text for one in found)}",
            f"update it to {_shown(max(one.fixed for one in found))} or later",
        )
    else:
        yield Finding.ok("version", told)


def _shown(version: Version) -> str:
    return ".".join(map(str, version))
