"""Where a credential is looked for, and where it is not."""

from __future__ import annotations

import pytest

from coordinator.access.presented_credential import (
    plain_key,
    presented_credential,
    takes_query_token,
)
from coordinator.errors import NotAuthenticated

KEY = b"ackey_abc"


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer ackey_abc")],
        [(b"authorization", b"bearer   ackey_abc ")],
        [(b"x-api-key", KEY)],
        [(b"x-api-key", KEY), (b"authorization", b"Bearer ackey_abc")],
        [(b"accept", b"*/*"), (b"x-api-key", b" ackey_abc ")],
    ],
)
def test_a_credential_is_taken_from_either_header(headers: list[tuple[bytes, bytes]]) -> None:
    assert presented_credential(headers, None) == "ackey_abc"


@pytest.mark.parametrize("headers", [[], [(b"cookie", KEY)], [(b"x-api-key", b" ")]])
def test_without_one_there_is_none(headers: list[tuple[bytes, bytes]]) -> None:
    assert presented_credential(headers, None) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Basic YTpi")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", KEY)],
        [(b"x-api-key", KEY), (b"x-api-key", b"ackey_other")],
        [(b"x-api-key", KEY), (b"authorization", b"Bearer ackey_other")],
    ],
)
def test_what_is_no_credential_and_two_of_them_are_refused(
    headers: list[tuple[bytes, bytes]],
) -> None:
    with pytest.raises(NotAuthenticated):
        presented_credential(headers, None)


def test_the_query_counts_where_it_is_given() -> None:
    assert presented_credential([], b"a=1&token=ackey_abc") == "ackey_abc"
    assert presented_credential([(b"x-api-key", KEY)], b"token=ackey_abc") == "ackey_abc"
    assert presented_credential([], b"tokens=ackey_abc") is None
    with pytest.raises(NotAuthenticated):
        presented_credential([(b"x-api-key", KEY)], b"token=ackey_other")
    with pytest.raises(NotAuthenticated):
        presented_credential([], b"token=ackey_abc&token=ackey_other")


def test_it_is_given_for_websockets_and_streams_alone() -> None:
    assert takes_query_token("websocket", "/anything")
    assert not takes_query_token("http", "/tasks/submit")
    assert not takes_query_token("http", "/tasks")


@pytest.mark.parametrize(
    "headers",
    [
        {b"authorization": b"Bearer ackey_abc"},
        {b"accept": b"*/*", b"x-api-key": KEY, b"host": b"localhost"},
    ],
)
def test_a_key_that_stands_as_clients_write_it_is_found_in_one_look(
    headers: dict[bytes, bytes],
) -> None:
    assert plain_key(headers) == KEY
    assert presented_credential(headers.items(), None) == KEY.decode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"cookie": KEY},
        {b"authorization": b"Basic YTpi"},
        {b"authorization": b"bearer ackey_abc"},
        {b"authorization": KEY},
        {b"x-api-key": b"", b"authorization": b"Bearer ackey_abc"},
        {b"authorization": b"Basic YTpi", b"x-api-key": KEY},
        {b"x-api-key": KEY, b"authorization": b"Bearer ackey_other"},
    ],
)
def test_all_else_is_left_to_the_long_look(headers: dict[bytes, bytes]) -> None:
    assert plain_key(headers) is None
