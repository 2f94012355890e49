"""Builds the service from its settings and gives it a life. The only package that knows every other.

    async with running(settings) as coordinator:
        coordinator.app        # the FastAPI application, to be served

That is all of it, in one process. `coordinator serve` runs two: one whose duty is `Duty.SERVING`, and one
that folds the log (decision 0025).

Each stage is one function that is given the stages before it and returns a frozen value. Making one
opens nothing but what its name says; background work begins when all of them are there.

replacements .......... holds a clock, connections, ledger, pauses and interceptors of a caller's own, and
                        which part of the service is this process's duty
broker_connections .... the two connections to the broker: one only publishes, one does all the rest
starting_state ........ the open ledger, and the clock, key and task queues that are read from it
publishers ............ the confirmed publisher, and what sends commands, marks and ends with it
callbacks ............. checks callbacks of submissions, and delivers them
agent_registry ........ registers agents, hears their heartbeats, keeps snapshots of them
task_submission ....... takes tasks in over HTTP and puts them on their queues
outbox_projection ..... folds the log into the ledger, publishes what is due in the outbox
task_recovery ......... puts right what went wrong, and what people ask for about single tasks
readiness ............. pure: can tasks be submitted, and the sentences that say why not
health_report ......... collects the facts that readiness judges
query_services ........ answers questions from the ledger and the live agents; tells metrics, hears output
background_work ....... runs the loops of all stages until one of them fails
api_application ....... fits the stages into the HTTP API
running_coordinator ... the running service as its callers see it
running ............... opens, builds, runs and stops all of it

A module imports those above it in this list, never one below it; but any may import readiness.
"""

from .api_application import edge_rules
from .replacements import Duty, Replacements, Timings
from .running import prepare, running
from .running_coordinator import ANSWERS_WITHIN, Coordinator

__all__ = [
    "ANSWERS_WITHIN",
    "Coordinator",
    "Duty",
    "Replacements",
    "Timings",
    "edge_rules",
    "prepare",
    "running",
]
