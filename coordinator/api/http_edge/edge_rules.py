"""Holds what an operator says about who may reach the API: its names, other origins, the path in front."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EdgeRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRules:
    """The defaults are those of a service on loopback that no page of another origin may use."""

    hosts: tuple[str, ...] = ()
    """Names of this service in the header `Host`, beside those of loopback and the address that a
    connection came to: without a port, in lower case. `*.example.org` stands for all below it, `*` for
    every name."""

    origins: tuple[str, ...] = ()
    """Origins whose pages may use the API from a browser, as the header `Origin` tells them:
    `https://board.example.org`."""

    root_path: str = ""
    """Path below which a proxy publishes the service, such as `/coordinator`; empty for none."""
