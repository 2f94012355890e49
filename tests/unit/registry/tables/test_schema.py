"""The tables of the ledger do not depend on who imported what."""

from __future__ import annotations

import subprocess
import sys

import sqlalchemy as sa

from coordinator.registry.ledger.database_engines import look_only

OPEN_A_LEDGER = """
import asyncio, sys
from coordinator.registry.ledger.ledger import Ledger

async def main():
    async with Ledger(sys.argv[1]):
        pass

asyncio.run(main())
"""

IMPORT_THE_REGISTRY = """
import importlib, pkgutil
from coordinator.registry.tables import schema
print(*sorted(schema.metadata.tables))
import coordinator.registry
for module in pkgutil.walk_packages(coordinator.registry.__path__, "coordinator.registry."):
    importlib.import_module(module.name)
print(*sorted(schema.metadata.tables))
"""

TABLES = {
    *(
        "agents",
        "api_keys",
        "broker_users",
        "callbacks",
        "cancellations",
        "checkpoint",
        "events",
        "idempotency_keys",
        "meta",
        "offered",
        "outbox",
    ),
    *("group_totals", "parked", "schedules", "sources", "task_labels", "tasks", "totals", "turns"),
}


def in_a_fresh_process(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_process_that_only_opens_a_ledger_makes_every_table(ledger_url: str) -> None:
    in_a_fresh_process(OPEN_A_LEDGER, ledger_url)
    engine = look_only(ledger_url)
    try:
        assert set(sa.inspect(engine).get_table_names()) == TABLES
    finally:
        engine.dispose()


def test_every_table_is_defined_in_the_schema() -> None:
    at_first, after_all = in_a_fresh_process(IMPORT_THE_REGISTRY).splitlines()
    assert set(at_first.split()) == set(after_all.split()) == TABLES
