"""Which addresses callbacks may go to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.callbacks.address_rules import AddressRules, is_public

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]

NOT_PUBLIC = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
    "link-local": ["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "::2", "4000::1"],
    "shared": ["100.64.0.1", "100.127.255.254"],
    "site-local": ["fec0::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"],
    "benchmarking": ["198.18.0.1", "2001:2::1"],
    "IPv4 in IPv6": [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
    ],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::", "2002:a9fe:a9fe::"],
    "Teredo": ["2001::1", "2001:0:7f00:1::"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert AddressRules().allows(ip_address(address), "receiver.example")


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, one) for kind, all_ in NOT_PUBLIC.items() for one in all_]
)
def test_all_others_are_refused(kind: str, address: str) -> None:
    assert not AddressRules().allows(ip_address(address), "receiver.example"), kind


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_counts_the_same_within_ipv6(address: object) -> None:
    plain = ip_address(str(address))
    number = int(plain)
    for wrapped in (number + (0xFFFF << 32), number + (0x64FF9B << 96)):
        assert is_public(ip_address(wrapped.to_bytes(16, "big"))) == is_public(plain)


def test_networks_and_addresses_of_the_list_are_allowed() -> None:
    rules = AddressRules(["10.1.0.0/16", "127.0.0.1/32", "fd00::/8"])
    for address in ("10.1.2.3", "127.0.0.1", "fd12::1", "::ffff:10.1.2.3"):
        assert rules.allows(ip_address(address), "receiver.example"), address
    for address in ("10.2.0.1", "127.0.0.2", "::1"):
        assert not rules.allows(ip_address(address), "receiver.example"), address


def test_a_host_of_the_list_may_have_any_address() -> None:
    rules = AddressRules(["hooks.internal"])
    assert rules.allows(ip_address("10.0.0.1"), "Hooks.Internal.")
    assert not rules.allows(ip_address("10.0.0.1"), "other.hooks.internal")
