"""Tells which extra of the distribution a program lacks, and the line that installs it.

The distribution has a name of its own on package indexes; the packages that it installs are `coordinator` and
`consumers`.
"""

from __future__ import annotations

from coordinator import DISTRIBUTION

__all__ = ["install_line", "missing_extra"]

OWN = frozenset({"coordinator", "consumers"})
"""Packages whose modules are there, or something is broken that no installation puts right."""


def install_line(*extras: str) -> str:
    """What a shell is given to install the distribution with these extras, such as `service`."""
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


def missing_extra(what: str, extra: str, exc: ModuleNotFoundError) -> str:
    """The sentence for an operator: ``what`` needs ``extra``, since the module of ``exc`` is not there.
    Raises ``exc`` again where that is one of our own.
    """
    if (exc.name or "").partition(".")[0] in OWN:
        raise exc
    return (
        f"{what} needs the extra `{extra}` ({exc.name} is not installed): run {install_line(extra)}"
    )
