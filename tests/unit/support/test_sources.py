"""Where tests get their broker from, decided from the environment."""

from __future__ import annotations

import pytest

from tests.support.management import ManagementApi
from tests.support.sources import broker_sources, must_have_a_broker

GIVEN = {
    "COORDINATOR_TEST_AMQP_URL": "amqp://u:p@broker/",
    "COORDINATOR_TEST_MANAGEMENT_URL": "http://u:p@broker:15672",
}


def test_a_broker_that_is_named_is_the_only_one() -> None:
    (source,) = broker_sources(GIVEN | {"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert source.amqp_url == "amqp://u:p@broker/"
    assert not source.ours


def test_a_broker_that_is_named_needs_its_management_url() -> None:
    with pytest.raises(ValueError, match="set COORDINATOR_TEST_MANAGEMENT_URL too"):
        broker_sources({"COORDINATOR_TEST_AMQP_URL": "amqp://u:p@broker/"})


def test_with_docker_each_image_is_a_source() -> None:
    sources = broker_sources({"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert [source.label for source in sources] == [
        "rabbitmq-3.13-management",
        "rabbitmq-4-management",
    ]
    assert all(source.ours for source in sources)


@pytest.mark.parametrize(
    ("ci", "must"),
    [({}, False), ({"CI": ""}, False), ({"CI": "false"}, False), ({"CI": "1"}, True)],
)
def test_only_ci_must_have_a_broker(ci: dict[str, str], must: bool) -> None:
    assert must_have_a_broker(ci) is must


async def test_a_login_in_the_url_is_no_part_of_the_address() -> None:
    async with ManagementApi.with_login("http://u:p@broker:15672") as api:
        assert api.url == "http://broker:15672"
        assert api.username == "u"
