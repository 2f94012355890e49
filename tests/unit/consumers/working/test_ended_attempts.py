"""What has ended: acknowledged when its outcome is confirmed, or when it comes again."""

from __future__ import annotations

from consumers._working.ended_attempts import REMEMBERED, EndedAttempts
from tests.unit.consumers.working.in_hand import AChannel, Settled, attempt


def test_a_message_is_acknowledged_once_its_outcome_is_confirmed() -> None:
    settled = Settled()
    ended = EndedAttempts(settled.receipts)
    one = attempt(1)
    ended.add(one)
    assert (len(ended), ended.find(one.fence), settled.acknowledged) == (1, one, [])
    ended.settle([one])
    assert (len(ended), ended.find(one.fence), settled.acknowledged) == (0, None, [1])
    assert not ended.settle_again(one.fence, one.deliveries[0])


def test_a_message_whose_channel_was_lost_is_acknowledged_when_it_comes_again() -> None:
    settled = Settled()
    ended = EndedAttempts(settled.receipts)
    lost = attempt(1, channel=AChannel(open=False))
    ended.add(lost)
    ended.settle([lost])
    assert settled.acknowledged == []
    again = attempt(1).deliveries[0]
    assert ended.settle_again(lost.fence, again)
    assert settled.acknowledged == [1]
    assert not ended.settle_again(lost.fence, again)


def test_only_so_many_of_those_are_remembered() -> None:
    ended = EndedAttempts(Settled().receipts)
    lost = [attempt(tag, channel=AChannel(open=False)) for tag in range(REMEMBERED + 1)]
    ended.settle(lost)
    again = attempt(0).deliveries[0]
    assert not ended.settle_again(lost[0].fence, again)
    assert ended.settle_again(lost[-1].fence, again)
