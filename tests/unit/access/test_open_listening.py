"""Beyond loopback the API is open to nobody by accident."""

from __future__ import annotations

import pytest

from coordinator.access.open_listening import check_listening, is_loopback
from coordinator.errors import OperatorError


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]
)
def test_on_loopback_nobody_has_to_be_asked(host: str) -> None:
    assert is_loopback(host)
    check_listening(host, required=False, allow_open=False)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "example.org", "::ffff:192.0.2.1", "127.0.0.1.example.org"],
)
def test_elsewhere_it_takes_a_credential_or_a_second_word(host: str) -> None:
    with pytest.raises(OperatorError, match="COORDINATOR_AUTH") as told:
        check_listening(host, required=False, allow_open=False)
    assert "\n" not in str(told.value)
    check_listening(host, required=True, allow_open=False)
    check_listening(host, required=False, allow_open=True)
