"""Who is compared: the coordinator, its peers, and two limits that nobody can pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .checkouts import Checkout
from .results import OURS

__all__ = [
    "ALL",
    "COORDINATOR",
    "LIMITS",
    "PEERS",
    "WITHOUT_KEYS",
    "WITHOUT_METRICS",
    "WITH_KEYS",
    "WITH_METRICS",
    "Contestant",
    "other",
]

ROOT = Path(__file__).resolve().parents[2]
_MODULE = "tests.benchmarks.peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    name: str
    peer: str = ""
    """`peers/{peer}_peer.py`; empty for the coordinator itself."""
    worker: Callable[[int], list[str]] | None = None
    """The command of one worker process with so many slots, after `python -m`."""
    blocking: bool = False
    """Its slots are threads: more than a few cost more than they bring."""
    keyed: bool = False
    """The coordinator, which asks for API keys."""
    counted: bool = True
    """The coordinator, which counts for Prometheus."""
    checkout: Checkout | None = None
    """Where the coordinator is that of another commit."""

    @property
    def root(self) -> Path:
        """What it is run from."""
        return ROOT if self.checkout is None else self.checkout.folder

    @property
    def python(self) -> str:
        """The interpreter of its agents."""
        return sys.executable if self.checkout is None else self.checkout.python

    @property
    def command(self) -> list[str] | None:
        """Its `coordinator`, where it is another than this checkout's."""
        return None if self.checkout is None else [self.checkout.coordinator]

    @property
    def works(self) -> bool:
        """Whether it has workers."""
        return self.worker is not None or not self.peer


COORDINATOR = Contestant(name=OURS)

WITH_KEYS = Contestant(name=OURS, keyed=True)
WITHOUT_KEYS = Contestant(name="without a key")

WITH_METRICS = Contestant(name=OURS)
WITHOUT_METRICS = Contestant(name="without metrics", counted=False)


PEERS = (
    Contestant(
        name="Celery",
        peer="celery",
        blocking=True,
        worker=lambda slots: [
            *("celery", "-A", f"{_MODULE}.celery_peer", "worker", "-P", "threads"),
            *("-c", str(slots), "-l", "WARNING", "-n", "bench-%n-%h"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
    ),
    Contestant(
        name="Dramatiq",
        peer="dramatiq",
        blocking=True,
        worker=lambda slots: [
            *("dramatiq", f"{_MODULE}.dramatiq_peer", "-p", "1", "-t", str(slots)),
        ],
    ),
    Contestant(
        name="Taskiq",
        peer="taskiq",
        worker=lambda slots: [
            *("taskiq", "worker", f"{_MODULE}.taskiq_peer:broker", "--workers", "1"),
            *("--max-async-tasks", str(slots), "--ack-type", "when_executed"),
            *("--log-level", "WARNING"),
        ],
    ),
    Contestant(
        name="FastStream",
        peer="faststream",
        worker=lambda slots: ["faststream", "run", f"{_MODULE}.faststream_peer:app"],
    ),
)

LIMITS = (
    Contestant(name="bare route", peer="validate"),
    Contestant(name="bare driver", peer="aiormq", worker=lambda slots: [f"{_MODULE}.aiormq_peer"]),
)

ALL = (COORDINATOR, *PEERS, *LIMITS)


def other(checkout: Checkout) -> Contestant:
    """The coordinator of another commit."""
    return Contestant(name=checkout.name, checkout=checkout)
