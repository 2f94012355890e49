"""How much is done to the system, and with what seed."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SCENES", "Plan", "Scene", "a_seed", "long_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one round runs on."""

    nodes: int
    """Of RabbitMQ: one alone, or a cluster of three."""
    database: str
    """`sqlite` or `postgresql`: what the two coordinators share."""

    def __str__(self) -> str:
        return f"{self.nodes}-node-{self.database}"


SCENES = tuple(
    Scene(nodes=nodes, database=database)
    for nodes in (1, 3)
    for database in ("sqlite", "postgresql")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One round: so many faults while so many tasks are accepted, both at the least."""

    seed: int
    faults: int
    tasks: int
    patient: bool = False
    """Whether some faults last longer than the broker's and the clients' heartbeats."""

    @property
    def attempt_lost_after(self) -> int:
        """Seconds: longer than one fault keeps an agent silent."""
        return 70 if self.patient else 20


def a_seed(environ: Mapping[str, str] = os.environ) -> int:
    return int(environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))


def long_plan(environ: Mapping[str, str] = os.environ) -> Plan:
    """A round of the long form: its share of what the environment wants for each broker version."""
    faults = int(environ.get("CHAOS_FAULTS") or 100)
    tasks = int(environ.get("CHAOS_TASKS") or 100_000)
    return Plan(
        seed=a_seed(environ),
        faults=-(-faults // len(SCENES)),
        tasks=-(-tasks // len(SCENES)),
        patient=True,
    )
