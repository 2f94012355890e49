"""Runs `coordinator events`: what has happened to tasks and agents, and what happens."""

from __future__ import annotations

from contextlib import closing

from coordinator.api_commands.exit_statuses import DONE, TIME_OVER
from coordinator.api_commands.printing.event_lines import EventPrinter
from coordinator.api_commands.unread_output import end_when_unread
from coordinator.client import StreamedEvent, WaitTimedOut

from .invocation import Invocation

__all__ = ["events"]


def events(call: Invocation) -> int:
    """Ends after what there is, and after `--count` events. With `--follow` it ends after `--count` alone, or
    after `--timeout`, which is a failure where something was still to come.
    """
    options = call.options
    call.client.health()
    call.be_patient()
    end_when_unread()
    printer = EventPrinter(call.printer, subjects=True)
    left = options.count
    stream = call.client.events(
        after=options.after,
        follow=options.follow,
        timeout=options.timeout,
        task_id=options.task_id,
        agent_id=options.agent_id,
        type=options.type,
        priority=options.priority,
        state=options.state,
        group=options.group,
        tag=options.tag,
    )
    try:
        with closing(stream) as items:
            for item in items:
                printer.print(item)
                if isinstance(item, StreamedEvent) and left is not None:
                    left -= 1
                    if left == 0:
                        return DONE
    except WaitTimedOut:
        return DONE if options.follow and left is None else TIME_OVER
    return DONE
