"""Holds the settings of the service, and reads them: what an operator may change, and what is wrong with it.

process_limits ...... says which limits each process counts by itself
settings_loader ..... reads them from options and environment; each mistake is one line
settings ............ declares each setting: its unit, its default and why
setting_conflicts ... finds two that contradict each other
value_types ......... reads durations, addresses, folders and names, and refuses wrong ones
edge_value_types .... the same for hosts, origins, proxies and the files of TLS
error_messages ...... makes one line of a value that is not valid
unknown_variables ... finds variables that look like settings and are none

Everybody else takes what stands in `__all__` from here. Arrows run down this list.
"""

from __future__ import annotations

from .process_limits import counted_apart
from .settings import Settings
from .settings_loader import load_settings, unknown_settings

__all__ = ["Settings", "counted_apart", "load_settings", "unknown_settings"]
