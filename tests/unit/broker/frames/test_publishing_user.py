"""Which user a connection names on what it publishes."""

from __future__ import annotations

import pytest

from coordinator.broker.frames.publishing_user import LONGEST, PublishingUser, user_of


@pytest.mark.parametrize(
    ("url", "user"),
    [
        ("amqp://ada:secret@host:5672/vhost", "ada"),
        ("amqps://ada:secret@host", "ada"),
        ("amqp://a%40b%2Fc:secret@host", "a@b/c"),
        ("amqp://host", "guest"),
        ("amqp://ada:secret@host?auth=PLAIN&heartbeat=5", "ada"),
    ],
)
def test_it_is_who_the_address_logs_in_as(url: str, user: str) -> None:
    assert user_of(url) == user


@pytest.mark.parametrize(
    "url",
    [
        "amqps://host?auth=external&certfile=cert.pem",
        f"amqp://{'a' * (LONGEST + 1)}:secret@host",
    ],
)
def test_nobody_is_named_where_the_broker_would_refuse_the_message(url: str) -> None:
    assert user_of(url) is None


def test_the_name_is_learnt_where_the_broker_knows_another() -> None:
    user = PublishingUser("amqp://ignored:token@host")

    user.learn(
        "PRECONDITION_FAILED - user_id property set to 'ignored' but authenticated user was 'ada's'"
    )

    assert user.name == "ada's"


def test_another_refusal_changes_nothing() -> None:
    user = PublishingUser("amqp://ada:secret@host")

    user.learn("PRECONDITION_FAILED - message size 20 is larger than configured max size 10")

    assert user.name == "ada"
