"""What was parked lately for a token or an identity is counted by author, and told for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from coordinator.errors import ForgedIdentity, MalformedMessage, WrongToken
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.parked_messages import park, parked_event
from coordinator.registry.upkeep.refused_events import RefusedEvents
from tests.unit.domain.histories import at, completed, started


async def refused(ledger: Ledger, *parked: tuple[str, Exception, str | None]) -> RefusedEvents:
    """Parked an instant ago; each by its agent, for a reason, by a user."""
    messages = [
        parked_event(completed(agent_id, task_id=str(number)), why, at(0), user=user)
        for number, (agent_id, why, user) in enumerate(parked)
    ]
    await ledger.write(lambda connection: park(connection, messages))
    events = RefusedEvents(ledger, now=lambda: at(1))
    await events.look()
    return events


async def test_each_reason_is_a_sentence_with_its_authors(ledger: Ledger) -> None:
    events = await refused(
        ledger,
        ("ada", WrongToken(), None),
        ("ada", WrongToken(), None),
        ("bob", WrongToken(), "team"),
        ("bob", ForgedIdentity("x"), "mallory"),
    )

    token, identity = events.problems()

    assert token.startswith("3 messages were parked within the last hour (ada: 2, user team: 1)")
    assert "COORDINATOR_SECRET" in token
    assert identity.startswith("1 message was parked within the last hour (user mallory: 1)")


async def test_what_cannot_be_read_is_none_of_them(ledger: Ledger) -> None:
    assert (await refused(ledger, ("ada", MalformedMessage("WrongToken"), None))).problems() == []


async def test_many_authors_are_counted_together(ledger: Ledger) -> None:
    events = await refused(ledger, *((f"agent-{n}", WrongToken(), None) for n in range(7)))

    (sentence,) = events.problems()

    assert "7 messages" in sentence
    assert "2 others" in sentence


async def test_it_is_told_for_an_hour(ledger: Ledger) -> None:
    await ledger.write(
        lambda connection: park(connection, [parked_event(started(), WrongToken(), at(0))])
    )
    now: list[datetime] = [at(0) + timedelta(minutes=59)]
    events = RefusedEvents(ledger, now=lambda: now[0])
    await events.look()
    assert len(events.problems()) == 1

    now[0] = at(0) + timedelta(minutes=61)
    await events.look()
    assert events.problems() == []
