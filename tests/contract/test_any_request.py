"""Whatever a request holds, its answer is one that the document describes, and never a failure."""

from __future__ import annotations

from .exploring import explore
from .fakes import Fakes


async def test_no_request_that_can_be_made_up_gets_an_undocumented_answer() -> None:
    assert await explore(Fakes().app(), examples=25) > 300
