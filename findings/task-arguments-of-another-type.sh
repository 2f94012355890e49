#!/usr/bin/env bash
# A task whose argument is not of the annotated type: Taskiq logs that it cannot be parsed, and runs the task with it.
#
# Seen with taskiq 0.13.0, celery 5.7.0 (PyPI), each with its own broker in memory.
#
# Taskiq parses arguments by the annotations of the task, by default: the text "5" becomes the integer 5, one in ISO 8601 a
# datetime. So the annotations look like a check. They are not: what cannot be parsed is handed to the function as it
# came, with a warning in the worker's log, and the task succeeds if the function happens to live with it.
# `price * 2` of "12.5x" is "12.5x12.5x". Celery's tasks with `pydantic=True`, which takes models, not numbers, are failures
# in such a case: ValidationError.
# Whoever wants a refusal in Taskiq validates in the task itself, or in a middleware.
#
# Output when written:
#   taskiq: 12.5 of "12.5", succeeded with '12.5x12.5x' of "12.5x"; celery: ValidationError
#
# Known: taskiq-python/taskiq#410 (asks for the warning). That the task runs all the same was found on no page.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check celery==5.7.0 pydantic==2.14.4 taskiq==0.13.0

"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import asyncio

from celery import Celery
from pydantic import BaseModel, ValidationError
from taskiq import InMemoryBroker


class Order(BaseModel):
    price: float


async def by_taskiq(price):
    broker = InMemoryBroker()

    @broker.task
    async def double(price: float):
        return price * 2

    await broker.startup()
    result = await (await double.kiq(price)).wait_result(timeout=20)
    assert not result.is_err, result
    return result.return_value


def by_celery():
    app = Celery(broker="memory://")

    @app.task(pydantic=True)
    def double(order: Order):
        return order.price * 2

    try:
        return double.apply(({"price": "12.5x"},), throw=True).get()
    except ValidationError as error:
        return type(error).__name__


parsed, taken = asyncio.run(by_taskiq("12.5")), asyncio.run(by_taskiq("12.5x"))
assert (parsed, taken) == (25.0, "12.5x12.5x"), (parsed, taken)
celerys = by_celery()
assert celerys == "ValidationError", celerys
print(f'taskiq: {parsed / 2} of "12.5", succeeded with {taken!r} of "12.5x"; celery: {celerys}')
PYTHON
