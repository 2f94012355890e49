"""`coordinator demo`: a mixed batch of real work for the example agents, watched until it is done.

batch.py    what is submitted: work, requirements and priorities
client.py   the few HTTP calls that it takes
board.py    what is known of each task, for the screen
screen.py   the live table, the plain lines and the summary
session.py  submits, watches, tells
"""

from __future__ import annotations

from .demo_run import run

__all__ = ["run"]
