"""A variable that looks like a setting and is none is told of, with the setting that was meant."""

from __future__ import annotations

import pytest

from coordinator.settings import unknown_settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("COORDINATOR_HTTP_PROT", "COORDINATOR_HTTP_PORT"),
        ("COORDINATOR_PORT", "COORDINATOR_HTTP_PORT"),
        ("COORDINATOR_WORKERS", "COORDINATOR_HTTP_WORKERS"),
        ("COORDINATOR_AMPQ_URL", "COORDINATOR_AMQP_URL"),
        ("COORDINATOR_SECRETFILE", "COORDINATOR_SECRET_FILE"),
        ("coordinator_stale_afer", "COORDINATOR_STALE_AFTER"),
    ],
)
def test_the_nearest_setting_is_named(name: str, meant: str) -> None:
    assert unknown_settings({name: "9001"}) == [
        f"{name} is not a setting, and was ignored: was {meant} meant?"
    ]


def test_where_none_is_near_the_list_of_them_is_named() -> None:
    (told,) = unknown_settings({"COORDINATOR_COLOUR": "blue"})
    assert told.startswith("COORDINATOR_COLOUR is not a setting")
    assert "docs/reference/settings.md" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COORDINATOR_HTTP_PORT", "9001"),
        ("coordinator_http_port", "9001"),
        ("COORDINATOR_SECRET_FILE", "/run/secrets/key"),
        ("COORDINATOR_ARTIFACTS", "s3://bucket/prefix"),
        ("COORDINATOR_HTTP_PROT", ""),
        ("COORDINATOR_TEST_AMQP_URL", "amqp://host"),
        ("COORDINATOR_NODE", "/data/rabbitmq"),
        ("COORDINATOR_PORT", "tcp://10.0.0.1:9001"),
        ("COORDINATOR_PORT_9001_TCP_ADDR", "10.0.0.1"),
        ("COORDINATOR_SERVICE_HOST", "10.0.0.1"),
        ("COORDINATOR_SERVICE_PORT_HTTP", "9001"),
        ("OTHER_HTTP_PROT", "1"),
    ],
)
def test_settings_and_variables_of_others_are_not_told_of(name: str, value: str) -> None:
    assert unknown_settings({name: value}) == []
