from __future__ import annotations

from dataclasses import replace

from coordinator.protocol.message import Message
from coordinator.protocol.messages.wake_call import WakeCall, wake_queue
from coordinator.protocol.requirements import Profile

ADA = Profile(
    agent_id="ada",
    agent_type="worker",
    capabilities=frozenset({"gpu", "text"}),
    services=frozenset({"documents"}),
    task_types=frozenset({"sum"}),
)


def test_agents_of_one_kind_share_a_wake_queue_whatever_their_ids() -> None:
    assert wake_queue(ADA) == wake_queue(replace(ADA, agent_id="grace"))
    assert wake_queue(ADA).startswith("wake.worker.")


def test_agents_that_may_do_other_tasks_have_another() -> None:
    kinds = [
        ADA,
        replace(ADA, agent_type="other"),
        replace(ADA, capabilities=frozenset({"gpu"})),
        replace(ADA, services=frozenset()),
        replace(ADA, services=frozenset(), task_types=frozenset({"documents", "sum"})),
        replace(ADA, task_types=frozenset()),
        replace(ADA, task_types=None),
    ]
    assert len({wake_queue(kind) for kind in kinds}) == len(kinds)


def test_a_type_of_many_bytes_gives_a_name_that_a_broker_takes() -> None:
    assert len(wake_queue(replace(ADA, agent_type="\N{SNOWMAN}" * 200))) < 255


def test_a_call_is_read_as_it_was_written() -> None:
    for call in (WakeCall(), WakeCall(consumed=["tasks.any.low"], more=0), WakeCall(more=7)):
        assert WakeCall.from_message(call.to_message()) == call


def test_a_call_that_cannot_be_read_wakes_all_the_same() -> None:
    for body in (b"", b"[]", b'{"consumed": 1}', b'{"more": -1}', b"\xff"):
        assert WakeCall.from_message(Message(body=body)) == WakeCall()
