"""URLs of callbacks: read once into parts, or refused."""

from __future__ import annotations

import pytest

from coordinator.callbacks.callback_url import read_url


def test_a_url_is_read_into_the_parts_of_a_request() -> None:
    url = read_url("https://Hooks.Example.org:8443/a/b?c=d%20e")
    assert (url.scheme, url.host, url.port) == ("https", "hooks.example.org", 8443)
    assert (url.target, url.authority) == ("/a/b?c=d%20e", "hooks.example.org:8443")


@pytest.mark.parametrize(
    ("text", "authority", "target"),
    [
        ("https://example.org", "example.org", "/"),
        ("https://example.org:443/", "example.org", "/"),
        ("http://example.org:80?x", "example.org", "/?x"),
        ("https://[2001:db8::1]/x", "[2001:db8::1]", "/x"),
        ("https://[2001:db8::1]:444/x", "[2001:db8::1]:444", "/x"),
        ("https://192.0.2.1/x", "192.0.2.1", "/x"),
    ],
)
def test_the_host_header_has_the_port_where_it_is_not_the_usual_one(
    text: str, authority: str, target: str
) -> None:
    url = read_url(text)
    assert (url.authority, url.target) == (authority, target)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://example.org/", "https"),
        ("file:///etc/hostname", "https"),
        ("//example.org/", "https"),
        ("example.org", "https"),
        ("", "characters"),
        ("https:///x", "names no host"),
        ("https://:443/", "names no host"),
        ("https://user@example.org/", "signed"),
        ("https://user:word@example.org/", "signed"),
        ("https://@example.org/", "signed"),
        ("https://example.org\\@other.example/", "characters"),
        ("https://example.org/#part", "fragment"),
        ("https://example.org/#", "fragment"),
        ("https://example.org:0/", "port 0"),
        ("https://example.org:99999/", "no URL"),
        ("https://example.org:x/", "no URL"),
        ("https://[::1", "no URL"),
        ("https://exa mple.org/", "characters"),
        ("https://example.org/a b", "characters"),
        ("https://example.org/\r\nX: y", "characters"),
        ("https://example.org/\x00", "characters"),
        ("https://exämple.org/", "characters"),
        ("https://example.org/ä", "characters"),
        ("https://exam%70le.org/", "names no host"),
        ("https://[fe80::1%25eth0]/", "names no host|zone"),
        ("https://-example.org/", "names no host"),
        ("https://" + "a" * 2048, "2048"),
    ],
)
def test_what_is_no_url_for_a_callback_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_url(text)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("http://localhost:1/", True),
        ("http://x.localhost/", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]/", True),
        ("http://localhost.example.org/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_this_machine_is_known_by_its_names_and_addresses(text: str, local: bool) -> None:
    assert read_url(text).is_local is local
