"""Makes text that every JSON reader takes of objects that handlers own and that may refuse to be text.

An outcome is told whatever an exception's `__str__` does: nothing here raises.
"""

from __future__ import annotations

__all__ = ["class_name", "printable_text", "text_of"]

MAX_NAME = 128
"""Characters in the name of a class."""

_NAME = type.__dict__["__name__"]
"""Reads the name that the interpreter keeps, whatever a metaclass says instead."""


def printable_text(text: str, limit: int) -> str:
    """``text`` as every JSON reader can take it, at most ``limit`` characters."""
    cut = str.__getitem__(text, slice(limit))  # of a subclass, too: its methods are its own
    return cut.encode("utf-8", "replace").decode()


def text_of(value: object, limit: int) -> str:
    """What ``str`` makes of ``value``, or a stand-in that names its class."""
    try:
        return printable_text(str(value), limit)
    except BaseException as exc:  # noqa: BLE001 - a handler's own code, which may do anything
        return f"<{class_name(value)} that cannot be shown: {class_name(exc)}>"


def class_name(value: object) -> str:
    """The name of the class of ``value``."""
    name: str = _NAME.__get__(type(value))
    return printable_text(name, MAX_NAME)
