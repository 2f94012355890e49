"""Runs `coordinator demo`: submits a mixed batch of real work for the example agents, and watches until it
is done.

demo_run .......... looks for agents, submits, watches, tells the end
live_output ....... follows a task that tells its result piece by piece
terminal_screen ... shows the live table, the plain lines and the summary
watched_tasks ..... keeps what is known of each task, for the screen
api_client ........ makes the few calls that it takes, by `coordinator.client`
demo_tasks ........ chooses what is submitted: work, requirements and priorities

Arrows run down this list.
"""

from __future__ import annotations

from .demo_run import run

__all__ = ["run"]
