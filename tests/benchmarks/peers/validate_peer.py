"""No peer but a limit: the route that validates and answers, and does nothing."""

from __future__ import annotations

import uuid
from typing import Any


async def open_() -> None:
    pass


async def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    return str(uuid.uuid4())


async def fill(count: int, data: dict[str, Any]) -> None:
    pass
