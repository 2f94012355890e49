"""Which values of the header `Host` name this service."""

from __future__ import annotations

import pytest

from coordinator.api.http_edge.known_hosts import MOST_REMEMBERED, KnownHosts, is_host

LOOPBACK = ("127.0.0.1", 9001)
OUTSIDE = ("192.0.2.7", 9001)
DUAL_STACK = ("::ffff:192.0.2.7", 9001)


@pytest.mark.parametrize(
    "header",
    [
        b"localhost", b"localhost:9001", b"LocalHost.:80", b"127.0.0.1", b"127.0.0.1:9001",
        b"127.8.8.8:1", b"[::1]", b"[::1]:9001", b"[::ffff:127.0.0.1]:9001",
    ],
)  # fmt: skip
def test_the_names_of_loopback_are_known_whatever_the_port(header: bytes) -> None:
    assert KnownHosts().knows(header, LOOPBACK)


@pytest.mark.parametrize(
    "header",
    [
        b"evil.example", b"evil.example:9001", b"127.0.0.1.evil.example", b"localhost.evil.example",
        b"evillocalhost", b"0.0.0.0:9001", b"192.0.2.7:9001", b"user@localhost", b"localhost:port",
        b"localhost:9001/x", b"", b"[::2]", b"[::1", b"::1", b"localhost evil", b"\xff\xfe", b"*",
    ],
)  # fmt: skip
def test_all_other_names_are_not(header: bytes) -> None:
    assert not KnownHosts().knows(header, LOOPBACK)
    assert not KnownHosts().knows(header, LOOPBACK), "nor when asked again"


@pytest.mark.parametrize("arrival", [OUTSIDE, DUAL_STACK])
def test_the_address_that_a_connection_came_to_is_known_and_no_other(
    arrival: tuple[str, int],
) -> None:
    hosts = KnownHosts()
    assert hosts.knows(b"192.0.2.7:9001", arrival)
    assert not hosts.knows(b"192.0.2.8:9001", arrival)
    assert not hosts.knows(b"192.0.2.7:9001", LOOPBACK), "one came there, and this one did not"
    assert not hosts.knows(b"192.0.2.7", None)


def test_an_address_is_known_in_any_of_its_spellings() -> None:
    assert KnownHosts().knows(b"[2001:db8:0::1]:9001", ("2001:db8::1", 9001))
    assert KnownHosts().knows(b"[fe80::1]", ("fe80::1%eth0", 9001))


def test_an_operator_names_others_one_by_one_or_all_below_one() -> None:
    hosts = KnownHosts(["coordinator.example.org", "*.inside.example"])
    assert hosts.knows(b"Coordinator.Example.org:443", LOOPBACK)
    assert hosts.knows(b"a.inside.example", LOOPBACK)
    assert not hosts.knows(b"inside.example", LOOPBACK)
    assert not hosts.knows(b"evilinside.example", LOOPBACK)
    assert not hosts.knows(b"sub.coordinator.example.org", LOOPBACK)


def test_an_operator_may_let_in_every_name() -> None:
    assert KnownHosts(["*"]).knows(b"whatever.example", LOOPBACK)
    assert not KnownHosts(["*"]).knows(b"user@whatever.example", LOOPBACK), "which is no name"


@pytest.mark.parametrize(
    ("header", "may_be"),
    [
        (b"", True), (b"a_b.example:", True), (b"a%41.example", True), (b"[::ffff:1.2.3.4]:65535", True),
        (b"localhost..", True), (b"localhost,evil", True), (b"2130706433", True),
        (b"user@localhost", False), (b"[::1", False), (b"[::1]x", False), (b"[fe80::1%25eth0]", False),
        (b"::1", False), (b"a b", False), (b"a:80:80", False), (b"a:port", False), (b"a/x", False),
        (b"\xff\xfe", False), (b"a\\b", False), (b"a%4", False), (b"a\xb2", False), (b"a:\xb2", False),
    ],
)  # fmt: skip
def test_a_host_is_what_the_standard_says(header: bytes, may_be: bool) -> None:
    """RFC 3986, 3.2.2."""
    assert is_host(header) is may_be


def test_what_is_remembered_does_not_grow_with_what_callers_write() -> None:
    hosts = KnownHosts()
    for port in range(3 * MOST_REMEMBERED):
        hosts.knows(b"localhost:%d" % port, LOOPBACK)
        hosts.knows(b"evil:%d" % port, LOOPBACK)
    assert len(hosts.remembered) <= MOST_REMEMBERED
