"""A ledger of many tasks that have ended and a few that wait, and how its database would go about a
query.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

__all__ = ["ENDED", "WAITING", "fill", "plan"]

ENDED = 30_000
WAITING = 50

_SERIES = {
    "sqlite": f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers"
    f" WHERE n < {ENDED + WAITING - 1})",
    "postgresql": f"WITH numbers(n) AS (SELECT generate_series(0, {ENDED + WAITING - 1}))",
}
_TASKS = f"""
INSERT INTO tasks (task_id, state, generation, attempt, published, started, failed, settled, content,
    max_attempts, priority, lane, task_type, submitted_at, submission, agent_id, ended_at, starts,
    failures, expires_at, submitted_by, group_id, parent_id)
{{numbers}} SELECT 'task-' || n,
    CASE WHEN n >= {ENDED} THEN 'queued' WHEN n % 50 = 0 THEN 'dead' ELSE 'completed' END,
    1, 1, 1, 1, 0, 0, CASE WHEN n % 1000 = 0 THEN 0 ELSE 1 END,
    3, CASE n % 5 WHEN 0 THEN 'low' WHEN 1 THEN 'high' ELSE 'normal' END,
    CASE WHEN n % 7 = 0 THEN 'cap:gpu' ELSE 'any' END,
    'type-' || (n % 101), 1000 * n, 'task-' || n || '.1.1',
    CASE WHEN n < {ENDED} THEN 'agent-' || (n % 100) END,
    CASE WHEN n < {ENDED} THEN 1000 * n + 500 END, 1, 0,
    CASE WHEN n % 100 = 0 THEN 1000 * n END,
    CASE WHEN n % 500 = 0 THEN 'key:ci' END, CASE WHEN n % 20 = 0 THEN 'group-' || (n % 7) END,
    CASE WHEN n % 10 = 0 THEN 'task-' || (n % 9) END
FROM numbers
"""


_LABELS = """
INSERT INTO task_labels (label, submitted_at, task_id)
SELECT CASE WHEN submitted_at % 500000 = 0 THEN 'tag:rare' ELSE 'tag:common' END, submitted_at, task_id
FROM tasks WHERE submitted_at % 2000 = 0 AND task_id LIKE 'task-%'
"""


def fill(connection: Connection) -> None:
    """In one statement, and with the statistics that a database makes now and then by itself."""
    numbers = _SERIES[connection.dialect.name]
    connection.exec_driver_sql(_TASKS.format(numbers=numbers).replace("%", _percent(connection)))
    connection.exec_driver_sql(_LABELS.replace("%", _percent(connection)))
    for table in ("tasks", "task_labels"):
        connection.execute(sa.text(f"ANALYZE {table}"))


def _percent(connection: Connection) -> str:
    return "%%" if connection.dialect.paramstyle in ("format", "pyformat") else "%"


def plan(connection: Connection, statement: str, parameters: Any = ()) -> str:
    """The steps, one a line, as this database tells them."""
    words = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{words} {statement}", parameters).all()
    return "\n".join(str(row[-1]) for row in rows)
