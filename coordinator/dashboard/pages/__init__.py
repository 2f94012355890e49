"""Collects what each page shows, from as few calls of the API as it takes.

overview_page ...... depths, oldest waits, agents by status, dead tasks, problems; totals for the curves
task_list_page ..... tasks by filters, a page at a time
task_page .......... one task: its attempts, data, result, error, output, and why it waits
attempt_bars ....... places the attempts of a task on a line of time
unserved_queues .... finds queues with tasks that no agent takes
untold_things ...... collects what an older service does not tell, for a sentence
agent_list_page .... agents: status, load, what each runs, why one takes nothing
queue_page ......... queues by priority and lane, and who serves them
dead_task_page ..... dead tasks by error, and what a redrive would take
schedule_page ...... schedules: next ticks, last runs
question_page ...... tasks that wait for people, with their questions
parked_page ........ messages that could not be taken as events
health_page ........ problems of the service, each with what to do

No page knows another; attempt_bars, unserved_queues and untold_things know none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from coordinator.dashboard.viewer import Page, Viewer

from .agent_list_page import agent_list
from .dead_task_page import dead_list
from .health_page import health_report
from .overview_page import overview
from .parked_page import parked_list, parked_one
from .question_page import question_list
from .queue_page import queue_list
from .schedule_page import schedule_list
from .task_list_page import task_list
from .task_page import one_task

__all__ = ["PAGES"]

PAGES: Sequence[tuple[str, Callable[[Viewer], Awaitable[Page]]]] = (
    ("/", overview),
    ("/tasks", task_list),
    ("/tasks/{task_id:path}", one_task),
    ("/agents", agent_list),
    ("/queues", queue_list),
    ("/dead", dead_list),
    ("/schedules", schedule_list),
    ("/questions", question_list),
    ("/parked", parked_list),
    ("/parked/{position:int}", parked_one),
    ("/health", health_report),
)
"""By path below that of the dashboard."""
