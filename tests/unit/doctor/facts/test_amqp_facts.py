"""The doctor looks at the log again where nobody reads it: a coordinator may just be starting."""

from __future__ import annotations

from typing import cast

import pytest

from coordinator.broker.connection import Link
from coordinator.doctor.facts import amqp_facts
from coordinator.doctor.facts.fact_types import ObjectState, ObjectVerdict
from coordinator.protocol.topology import LOG, QueueSpec

SPEC = QueueSpec(name=LOG, arguments={})


class Look(amqp_facts._Look):
    """Finds so many consumers at each look, and the last of these for ever."""

    def __init__(
        self,
        *consumers: int,
        verdict: ObjectVerdict = ObjectVerdict.RIGHT,
        reader_within: float = 60,
    ) -> None:
        super().__init__(cast("Link", None), reader_within=reader_within, look_every=0.001)
        self._found = list(consumers)
        self._verdict = verdict
        self.looks = 0

    async def queue(self, spec: QueueSpec) -> ObjectState:
        self.looks += 1
        consumers = self._found.pop(0) if len(self._found) > 1 else self._found[0]
        return ObjectState(name=spec.name, verdict=self._verdict, consumers=consumers)


async def test_a_reader_that_comes_a_moment_later_is_seen() -> None:
    look = Look(0, 0, 1)
    assert (await look.log(SPEC)).consumers == 1
    assert look.looks == 3


async def test_where_none_comes_that_is_told_in_the_end() -> None:
    assert (await Look(0, reader_within=0.01).log(SPEC)).consumers == 0


@pytest.mark.parametrize(
    "verdict", [ObjectVerdict.MISSING, ObjectVerdict.SILENT, ObjectVerdict.DIFFERENT]
)
async def test_a_log_that_is_not_well_is_told_of_at_once(verdict: ObjectVerdict) -> None:
    look = Look(0, verdict=verdict)
    assert (await look.log(SPEC)).verdict is verdict
    assert look.looks == 1
