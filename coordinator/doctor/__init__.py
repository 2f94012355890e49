"""Runs `coordinator doctor`: looks at the broker and the ledger, and says what to put right and how.

examination ... gathers the facts, has them judged, shows the findings
shared_examination ... examines for all who ask a service at about the same time
report ........ shows findings on a terminal, or as JSON
diagnosis ..... runs every check on the facts
checks ........ judge the facts: each check makes findings. Pure
facts ......... gather them over AMQP and the management API, and judge nothing

    examination ──▶ diagnosis ──▶ checks ──▶ facts ◀── registry.ledger.ledger_inspection
         └────────▶ report

Arrows run down this list. Nothing is changed anywhere.
"""

from __future__ import annotations

from .examination import Patience, examined_users, run

__all__ = ["Patience", "examined_users", "run"]
