"""Tunes Python's garbage collector, which finds next to nothing while a service starts.

What is made then stays until the end: modules, routes, the agents of the ledger. The collector would
go through all of it again each time that it has grown by a quarter, and later as well. It looks seldom
then, but it does: a service that waits for its database waits for as long as it takes.
"""

from __future__ import annotations

import gc

__all__ = ["rest", "resume"]


SELDOM = 200_000
"""Objects made and not freed between two looks, where it is some 700 as a rule."""

_usual = gc.get_threshold()


def rest() -> None:
    """Collect seldom until `resume`."""
    gc.set_threshold(SELDOM, *_usual[1:])


def resume() -> None:
    """Collect as ever, but pass over what there is now."""
    gc.freeze()
    gc.set_threshold(*_usual)
