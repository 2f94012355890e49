"""`coordinator doctor`: looks at the broker and the ledger, and says what to put right and how.

address ──▶ amqp ────────┐
   └──────▶ management ──┼──▶ Facts ──▶ diagnosis ──▶ findings ──▶ report
registry.checkup ────────┘               version  nodes  queues  policies  log  ledger

What gathers facts judges nothing; what judges them is pure. Nothing is changed anywhere.
"""

from __future__ import annotations

from .examination import run

__all__ = ["run"]
