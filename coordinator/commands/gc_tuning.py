"""Tunes Python's garbage collector, which finds next to nothing in a service.

What is made while it starts stays until the end: modules, routes, the agents of the ledger. The collector
would go through all of it again each time that it has grown by a quarter, and later as well. It looks seldom
then, but it does: a service that waits for its database waits for as long as it takes.

Once the service runs, what it makes is freed by its count of references. A batch of the log that is folded is
some ten thousand objects, through which the collector would go ten times at its usual pace: a tenth of
what folding costs.
"""

from __future__ import annotations

import gc

__all__ = ["rest", "resume"]


SELDOM = 200_000
"""Objects made and not freed between two looks while it starts, where it is some 700 as a rule."""

RUNNING = 10_000
"""The same once it runs: what waits in circles until then is a few MiB at most."""

_usual = gc.get_threshold()


def rest() -> None:
    """Collect seldom until `resume`."""
    gc.set_threshold(SELDOM, *_usual[1:])


def resume() -> None:
    """Pass over what there is now, and collect once in `RUNNING` objects."""
    gc.freeze()
    gc.set_threshold(RUNNING, *_usual[1:])
