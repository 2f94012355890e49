"""What the broker's words for a refusal become. The words are those of RabbitMQ 3.10 and 4."""

from __future__ import annotations

import aiormq.exceptions as driver
import pytest

from coordinator.broker.driver_errors import PUBLISHING, translated
from coordinator.errors import (
    BrokerRefused,
    ChannelLost,
    CoordinatorError,
    MessageTooLarge,
    QueueRefused,
    TopologyConflict,
)

TOO_LARGE = "PRECONDITION_FAILED - message size 70000 is larger than configured max size 65536"
OTHER = (
    "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none"
    " but current is the value 'quorum' of type 'longstr'"
)
LATE = (
    "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used:"
    " 1800000 ms. This timeout value can be configured, see consumers doc guide to learn more"
)
STRANGE = "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'"


def translation(exc: Exception, doing: str = PUBLISHING) -> CoordinatorError:
    with pytest.raises(CoordinatorError) as raised, translated(doing):
        raise exc
    return raised.value


@pytest.mark.parametrize(
    "words", [TOO_LARGE, "PRECONDITION_FAILED - message size 70000 is larger than max size 65536"]
)
def test_a_message_that_is_too_large_is_told_with_its_size_and_the_limit(words: str) -> None:
    error = translation(driver.ChannelPreconditionFailed(words))
    assert isinstance(error, MessageTooLarge)
    assert (error.size, error.limit) == (70000, 65536)
    assert "70000 bytes" in str(error)
    assert "65536 at most" in str(error)


def test_only_what_exists_with_other_arguments_is_to_be_deleted() -> None:
    conflict = translation(driver.ChannelPreconditionFailed(OTHER), "declaring queue 'q'")
    assert isinstance(conflict, TopologyConflict)
    assert "Delete this on the broker" in str(conflict)
    for words, kind in (
        (TOO_LARGE, MessageTooLarge),
        (LATE, ChannelLost),
        (STRANGE, BrokerRefused),
    ):
        error = translation(driver.ChannelPreconditionFailed(words))
        assert type(error) is kind
        assert "Delete this" not in str(error)


@pytest.mark.parametrize("word", ["", "write "])
def test_the_permission_that_is_missing_is_named(word: str) -> None:
    exchange = f"{word}access to exchange 'coordinator.events' in vhost '/' refused for user 'ada'"
    error = translation(driver.ChannelAccessRefused(f"ACCESS_REFUSED - {exchange}"))
    assert type(error) is BrokerRefused
    assert "lacks the permission to write to the exchange coordinator.events" in str(error)
    assert "rabbitmqctl set_permissions" in str(error)

    topic = (
        f"{word}access to topic 'task.started.ada' in exchange 'coordinator.events' in vhost '/'"
        " refused for user 'a-name-that-is-cut-o..."
    )
    error = translation(driver.ChannelAccessRefused(f"ACCESS_REFUSED - {topic}"))
    assert "lacks the topic permission to write to the exchange coordinator.events" in str(error)
    assert "rabbitmqctl set_topic_permissions" in str(error)


@pytest.mark.parametrize("word", ["", "read ", "configure "])
@pytest.mark.parametrize(
    "doing", ["taking from queue 'q'", "consuming from queue 'q'", "looking at 3 queues"]
)
def test_a_queue_that_may_not_be_read_is_told_from_other_refusals(word: str, doing: str) -> None:
    words = f"ACCESS_REFUSED - {word}access to queue 'q' in vhost '/' refused for user 'ada'"
    error = translation(driver.ChannelAccessRefused(words), doing)
    assert type(error) is QueueRefused
    assert "lacks the permission to read the queue q" in str(error)


def test_a_queue_that_may_not_be_declared_is_named_with_the_permission_for_that() -> None:
    words = "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'ada'"
    error = translation(driver.ChannelAccessRefused(words), "declaring queue 'q'")
    assert type(error) is BrokerRefused
    assert "lacks the permission to configure the queue q" in str(error)


def test_what_else_is_refused_is_told_in_the_brokers_words() -> None:
    words = "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'ada'"
    error = translation(driver.ChannelAccessRefused(words), "binding 'q' to 'e'")
    assert str(error) == f"The broker refuses this user: {words} (while binding 'q' to 'e')"
