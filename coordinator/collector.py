"""Python's garbage collector, which finds nothing while a service starts.

What is made then stays until the end: modules, routes, the agents of the ledger. The collector would
go through all of it again each time that it has grown by a quarter, and later as well.
"""

from __future__ import annotations

import gc

__all__ = ["rest", "resume"]


def rest() -> None:
    """Collect nothing until `resume`."""
    gc.disable()


def resume() -> None:
    """Collect as ever, but pass over what there is now."""
    gc.freeze()
    gc.enable()
