"""Finds the variables that look like settings and are none: a typing error would go unseen. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from coordinator.environment import ENV_PREFIX
from coordinator.near_names import nearest, quoted

__all__ = ["unknown_variables"]

_OTHERS = re.compile(
    ENV_PREFIX + r"(TEST_\w*|NODE|SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)", re.ASCII
)
"""Of the tests, of a private node's processes, and those that Kubernetes sets in every container where
a service is called `coordinator`."""

_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")
"""How the value of its `COORDINATOR_PORT` begins."""


def unknown_variables(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    """A sentence for each variable that has the prefix, says something and is not ``known``."""
    names = {name.removeprefix(ENV_PREFIX).lower(): name for name in known}
    return [
        _sentence(name, names)
        for name, value in sorted(environment.items())
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known and value.strip()
        if not _is_of_others(name, value)
    ]


def _is_of_others(name: str, value: str) -> bool:
    if name == f"{ENV_PREFIX}PORT":
        return _KUBERNETES_PORT.match(value) is not None
    return _OTHERS.fullmatch(name) is not None


def _sentence(name: str, names: Mapping[str, str]) -> str:
    own = name[len(ENV_PREFIX) :].lower()
    meant = nearest(own, names) or next((one for one in names if one.endswith(f"_{own}")), None)
    advice = f"was {names[meant]} meant?" if meant else "see docs/reference/settings.md"
    return f"{quoted(name)[1:-1]} is not a setting, and was ignored: {advice}"
