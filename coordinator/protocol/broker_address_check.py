"""Checks a broker's address, an AMQP URL: agents and coordinators refuse the same, in the same words.

No sentence shows a part of the address before its query: wherever a mistake is, a password may be there.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from coordinator.errors import OperatorError

__all__ = ["LONGEST_HEARTBEAT", "address_problem", "check_address"]

LONGEST_HEARTBEAT = 600
"""Seconds: what a frozen agent has in its hands goes to another one after two of these."""

FORM = "write it as amqp://user:password@host:5672/vhost (or amqps://)"

ENCODE = (
    "In a user, a password or a vhost, write @ as %40, : as %3A, / as %2F, # as %23 and ? as %3F"
)

_WORDS = {"auth": ("plain", "external"), "no_verify_ssl": ("0", "1")}

_PATHS = ("cafile", "capath", "cadata", "certfile", "keyfile")

_KNOWN = "heartbeat, timeout, auth, no_verify_ssl, cafile, capath, cadata, certfile and keyfile"


_HOST = re.compile(r"[\w.-]+")

_BRACKETS = re.compile(r"\[[^\]]+\](:\d+)?")

MAX_VHOST = 127
"""Characters of a virtual host's name (AMQP 0-9-1, the domain `path`; the driver sends no longer one)."""

MAX_LABEL = 63
"""Characters between two dots of a name, as DNS has it."""


def check_address(url: object, came_from: str) -> str:
    """Return ``url`` where a broker may be there. Raises `OperatorError`, which names ``came_from``."""
    problem = address_problem(url)
    if problem is not None:
        raise OperatorError(f"The broker's address in {came_from} {problem}")
    return str(url)


def address_problem(url: object) -> str | None:
    """What is wrong with it and how to put it right, to follow "the broker's address"; None where it
    is well-formed.
    """
    if not isinstance(url, str):
        return f"is no text: {FORM}"
    if not url or url.isspace():
        return f"is empty: {FORM}"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "has a space or a line break in it: write none, or %20 for one in a password"
    if not url.lower().startswith(("amqp://", "amqps://")):
        return f"does not begin with amqp:// or amqps://: {FORM}"
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "has a host that is none: write an IPv6 address in brackets, as amqp://[::1]:5672"
    return (
        _wrong_characters(parts)
        or _wrong_port(parts)
        or _wrong_host(host)
        or _wrong_vhost(parts)
        or _wrong_query(parts)
    )


def _wrong_characters(parts: SplitResult) -> str | None:
    if parts.fragment or "@" in parts.path or "@" in parts.query:
        return f"has a # or an @ behind the host. {ENCODE}"
    if "\\" in parts.netloc:
        return "has a backslash in it: write / before the vhost, and %5C for one in a password"
    return None


def _wrong_port(parts: SplitResult) -> str | None:
    try:
        good = parts.port != 0
    except ValueError:  # its words may hold a part of the password
        good = False
    if good and parts.netloc.endswith(":"):
        return "has no port behind the last colon: write one, such as 5672, or leave the colon out"
    place = parts.netloc.rpartition("@")[2]
    if place.startswith("[") and not _BRACKETS.fullmatch(place):
        return "has something behind the host's brackets that is no port: write [::1]:5672"
    if not good and place.count(":") > 1:
        return "has a port that is none: write an IPv6 address in brackets, as amqp://[::1]:5672"
    return None if good else f"has a port that is no number from 1 to 65535. {ENCODE}"


def _wrong_host(host: str | None) -> str | None:
    if not host:
        return f"names no host: {FORM}"
    if ":" in host or (
        _HOST.fullmatch(host) and all(map(_is_label, host.removesuffix(".").split(".")))
    ):
        return None
    return "names a host that cannot be one: write a name or an IP address"


def _wrong_vhost(parts: SplitResult) -> str | None:
    if len(unquote(parts.path.removeprefix("/"))) > MAX_VHOST:
        return f"has a vhost of more than {MAX_VHOST} characters, which is the most that AMQP takes"
    return None


def _is_label(part: str) -> bool:
    return 1 <= len(part) <= MAX_LABEL


def _wrong_query(parts: SplitResult) -> str | None:
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        problem = _wrong_parameter(name, value)
        if problem is not None:
            return problem
    return None


def _wrong_parameter(name: str, value: str) -> str | None:
    """What the driver cannot read it leaves out without a word, or ends at with an exception."""
    match name:
        case "heartbeat" | "timeout":
            if value.isascii() and value.isdecimal() and 1 <= int(value) <= LONGEST_HEARTBEAT:
                return None
            return (
                f"says {name}={value}: give whole seconds from 1 to {LONGEST_HEARTBEAT}, or leave it"
                " out"
            )
        case _ if name in _WORDS:
            words = _WORDS[name]
            return None if value.lower() in words else f"needs {name}={f' or {name}='.join(words)}"
        case _ if name in _PATHS:
            return None if value else f"says {name}= without a value behind it"
    return f"has the parameter {name}, which is not known: {_KNOWN} are"
