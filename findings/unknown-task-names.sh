#!/usr/bin/env bash
# A task that no worker knows: a failure in Celery, a dead letter in Dramatiq, silence in Taskiq.
#
# Seen with celery 5.7.0, dramatiq 2.2.1, taskiq 0.13.0 (PyPI), each with its own broker in memory.
#
# The commonest cause is a release: producers are newer than the workers, or a module is not imported. Each framework takes
# the message off the queue at the first worker that does not know the name, though another may:
# - Celery rejects it and stores a failure, NotRegistered, for whoever waits.
# - Dramatiq dead-letters it at once, whatever its retries, and tells nobody: with a result backend, `get_result`
#   waits until its timeout.
# - Taskiq logs a warning and acknowledges it, as if it were done: there is no dead letter, no failure and no
#   result; `wait_result` has no timeout unless it is given one, and then waits for ever.
# None of them gives it back for a worker that knows it.
#
# Output when written:
#   celery: NotRegistered, 0 left; dramatiq: dead-lettered, ResultTimeout; taskiq: acknowledged, no result
#
# Known: celery/celery#9015 ("ignored and discarded" in the log), Bogdanp/dramatiq#106 (what is dead-lettered), #448 and
# #887 (no result, open), taskiq-python/taskiq#569 and #652 (acknowledged on purpose since July 2026; before, such a
# message stayed with the worker) and #322 (asks for rejection, so that its queue of dead letters has a use; open).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check celery==5.7.0 dramatiq==2.2.1 taskiq==0.13.0

"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import asyncio

import dramatiq
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.exceptions import NotRegistered
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import Results, ResultTimeout
from dramatiq.results.backends import StubBackend
from taskiq import AckableMessage, InMemoryBroker, TaskiqMessage
from taskiq.receiver import Receiver


def by_celery():
    app = Celery(broker="memory://", backend="cache+memory://")
    with start_worker(app, perform_ping_check=False, loglevel="CRITICAL"):
        try:
            app.send_task("nobody.knows").get(timeout=20)
        except NotRegistered as error:
            outcome = type(error).__name__
        with app.connection() as connection:
            left = connection.channel()._size("celery")
    return f"{outcome}, {left} left"


def by_dramatiq():
    broker = StubBroker()
    backend = StubBackend()
    broker.add_middleware(Results(backend=backend, store_results=True))
    dramatiq.set_broker(broker)
    broker.declare_queue("default")
    message = dramatiq.Message(
        queue_name="default", actor_name="nobody_knows", args=(), kwargs={}, options={"max_retries": 3}
    )
    broker.enqueue(message)
    worker = dramatiq.Worker(broker, worker_timeout=50)
    worker.start()
    try:
        broker.join("default", timeout=20_000, fail_fast=False)
        assert [dead.message_id for dead in broker.dead_letters] == [message.message_id]
        message.get_result(backend=backend, block=True, timeout=1_000)
    except ResultTimeout as error:
        return f"dead-lettered, {type(error).__name__}"
    finally:
        worker.stop()


async def by_taskiq():
    broker = InMemoryBroker()
    await broker.startup()
    acknowledged = []
    message = broker.formatter.dumps(
        TaskiqMessage(task_id="1", task_name="nobody.knows", labels={}, args=[], kwargs={})
    )
    delivered = AckableMessage(data=message.message, ack=lambda: acknowledged.append("1"))
    await Receiver(broker, max_async_tasks=1).callback(delivered)
    assert acknowledged == ["1"]
    return "acknowledged, " + ("a" if await broker.result_backend.is_result_ready("1") else "no") + " result"


seen = f"celery: {by_celery()}; dramatiq: {by_dramatiq()}; taskiq: {asyncio.run(by_taskiq())}"
expected = (
    "celery: NotRegistered, 0 left; dramatiq: dead-lettered, ResultTimeout; "
    "taskiq: acknowledged, no result"
)
assert seen == expected, seen
print(seen)
PYTHON
