"""Judges an answer by the JSON schema of its question, in a process that cannot take longer than it may.

What a schema costs to apply is its author's to choose, who need not be trusted; and no thread that applies
one can be told to stop. See `schema_process`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from coordinator.errors import InvalidRequest, Unavailable, WrongState

from .schema_process import CPU_SECONDS

__all__ = ["PROCESS", "SchemaCheck"]

FIELD = "answer"

PROCESS = (sys.executable, "-P", str(Path(__file__).with_name("schema_process.py")))

AT_A_TIME = 2
"""Answers that are judged; people do not give them by the hundred, and others wait their turn."""

WITHIN = timedelta(seconds=20)
"""Until the machine is too busy to tell. The process has its own limit, of CPU."""


class SchemaCheck:
    """Starts ``process`` for each answer. ``within``: how long an answer waits for its verdict."""

    def __init__(self, *, within: timedelta = WITHIN, process: Sequence[str] = PROCESS) -> None:
        self._within = within.total_seconds()
        self._process = process
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def __call__(self, schema: dict[str, Any], answer: Any) -> None:
        """Raises `InvalidRequest` for an answer that is none by ``schema``, `WrongState` where nobody can
        answer by it, or `Unavailable` where that cannot be told now.
        """
        asked = json.dumps({"schema": schema, "answer": answer}).encode()
        try:
            async with asyncio.timeout(self._within), self._turns:
                told = await _verdict(self._process, asked)
        except (TimeoutError, OSError) as exc:
            raise Unavailable(
                "The answer cannot be judged by its question's schema right now; try again shortly"
            ) from exc
        if not told:
            raise WrongState(
                "Nobody can answer this question: to judge an answer by its schema takes more than"
                f" {CPU_SECONDS} seconds, or too much memory. Cancel the task, and mend the agent"
            )
        verdict = json.loads(told)
        if "no_schema" in verdict:
            raise WrongState(
                f"Nobody can answer this question: its schema is not valid ({verdict['no_schema']})."
                " Cancel the task, and mend the agent"
            )
        if "problem" in verdict:
            where = "".join(f"[{part!r}]" for part in verdict["path"])
            raise InvalidRequest(f"{FIELD}{where}: {verdict['problem']}", field=FIELD)


async def _verdict(program: Sequence[str], asked: bytes) -> bytes:
    """What the process has printed; nothing where it was ended before that. Raises `OSError` where none can
    be started.
    """
    process = await asyncio.create_subprocess_exec(
        *program, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
    )
    try:
        return (await process.communicate(asked))[0]
    finally:
        if process.returncode is None:  # whoever asked has gone, or the time is over
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
