"""A broker's address that is none is refused in one line, which says how to write it and shows no
password.
"""

from __future__ import annotations

import pytest

from coordinator.errors import OperatorError
from coordinator.protocol.broker_address_check import address_problem, check_address

PASSWORD = "se5ret"

WRONG = [
    ("", "is empty"),
    ("  ", "is empty"),
    ("localhost:5672", "does not begin with amqp:// or amqps://: write it as amqp://"),
    ("//h", "does not begin with"),
    (f"user:{PASSWORD}@host:5672", "does not begin with"),
    (f"http://user:{PASSWORD}@host:15672", "does not begin with"),
    ("amqp:/host", "does not begin with"),
    ("amqp://", "names no host"),
    ("amqp:///vhost", "names no host"),
    (f"amqp://user:{PASSWORD}@", "names no host"),
    ("amqp://:5672", "names no host"),
    ("amqp://host:port/", "no number from 1 to 65535"),
    ("amqp://host:0/", "no number from 1 to 65535"),
    ("amqp://host:65536/", "no number from 1 to 65535"),
    ("amqp://host:-1/", "no number from 1 to 65535"),
    ("amqp://host:/", "no port behind the last colon"),
    (f"amqp://user:{PASSWORD}/{PASSWORD}@host/", "%2F"),
    (f"amqp://user:12/{PASSWORD}@host/", "%2F"),
    (f"amqp://user:{PASSWORD}#{PASSWORD}@host/", "%23"),
    (f"amqp://user:12?{PASSWORD}@host/", "%3F"),
    (f"amqp://user:{PASSWORD} {PASSWORD}@host/", "%20"),
    (f"amqp://user:{PASSWORD}@host\n/", "line break"),
    ("amqp://::1:5672/", "in brackets"),
    ("amqp://[::1:5672/", "in brackets"),
    ("amqp://fe80::1/", "in brackets"),
    ("amqp://[::1]x:5672/", "brackets"),
    ("amqp://[::1]:/", "no port behind the last colon"),
    ("amqp://ho|st/", "a host that cannot be one"),
    ("amqp://a..b/", "a host that cannot be one"),
    (f"amqp://{'a' * 64}.example/", "a host that cannot be one"),
    ("amqp://host\\vhost", "backslash"),
    ("amqp://host/?heartbeat=soon", "heartbeat=soon: give whole seconds from 1 to 600"),
    ("amqp://host/?heartbeat=0", "whole seconds from 1"),
    ("amqp://host/?heartbeat=", "whole seconds from 1"),
    ("amqp://host/?timeout=-3", "whole seconds from 1"),
    ("amqp://host/?hartbeat=30", "hartbeat, which is not known: heartbeat, "),
    ("amqps://host/?no_verify_ssl=yes", "no_verify_ssl=0 or no_verify_ssl=1"),
    ("amqps://host/?auth=kerberos", "auth=plain or auth=external"),
    ("amqps://host/?cafile=", "without a value"),
    (None, "is no text"),
    (b"amqp://host/", "is no text"),
    (f"amqp://host/{'v' * 128}", "a vhost of more than 127 characters"),
]


@pytest.mark.parametrize(("url", "words"), WRONG)
def test_a_wrong_address_is_told_in_one_line_without_the_password(url: object, words: str) -> None:
    with pytest.raises(OperatorError) as raised:
        check_address(url, "COORDINATOR_AMQP_URL")
    sentence = str(raised.value)
    assert sentence.startswith("The broker's address in COORDINATOR_AMQP_URL ")
    assert words in sentence
    assert "\n" not in sentence
    for length in range(3, len(PASSWORD) + 1):
        assert PASSWORD[:length] not in sentence


@pytest.mark.parametrize(
    "url",
    [
        "amqp://host",
        "amqp://host:5672/",
        "AMQP://host/",
        "amqp://the_broker.müller.example./",
        "amqps://user:pass%40word@host:5671/a%2Fb?heartbeat=30&cafile=/etc/ca.pem",
        "amqp://user:p@ss@host/",
        f"amqp://host/{'%2F' * 127}",
        "amqp://user:@[::1]:5672/%2F",
        "amqp://10.0.0.1:65535/v?timeout=5&auth=EXTERNAL",
    ],
)
def test_a_good_address_is_taken_as_it_is(url: str) -> None:
    assert address_problem(url) is None
    assert check_address(url, "here") == url
