"""The route in front of a peer: `python -m tests.benchmarks.peers.http celery`.

It validates what the coordinator's own route validates, with the same models in shape, and answers
with the same body. A peer whose library blocks is called from FastAPI's threads, as its pages say.
"""

from __future__ import annotations

import importlib
import inspect
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from pydantic_core import to_json

peer = importlib.import_module(f"tests.benchmarks.peers.{sys.argv[1]}_peer")


class Requirements(BaseModel):
    """What an agent must have."""

    capabilities: list[str] | None = None
    agent_type: str | None = None
    services: list[str] | None = None
    agent_id: str | None = None


class Task(BaseModel):
    """The body of a submission."""

    task_data: dict[str, Any]
    priority: Literal["critical", "urgent", "high", "normal", "low"] = "normal"
    requirements: Requirements | None = None
    timeout_seconds: float | None = None
    max_attempts: int | None = None
    delay_seconds: float | None = None
    metadata: dict[str, Any] | None = None


class Filling(BaseModel):
    """How many tasks are queued before a measurement."""

    count: int
    task_data: dict[str, Any]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await peer.open_()
    yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


def answer(task: Task, task_id: str) -> Response:
    content = {
        "status": "success",
        "message": "Task submitted successfully",
        "task_id": task_id,
        "priority": task.priority,
        "submitted_at": datetime.now(UTC).isoformat(),
    }
    return Response(to_json(content), media_type="application/json")


if inspect.iscoroutinefunction(peer.submit):

    @app.post("/tasks/submit")
    async def submit(task: Task) -> Response:
        urgent = task.priority in ("urgent", "critical")
        return answer(task, await peer.submit(task.task_data, urgent=urgent))

else:

    @app.post("/tasks/submit")
    def submit(task: Task) -> Response:
        urgent = task.priority in ("urgent", "critical")
        return answer(task, peer.submit(task.task_data, urgent=urgent))


@app.post("/fill")
async def fill(filling: Filling) -> None:
    await peer.fill(filling.count, filling.task_data)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, access_log=False, log_level="warning", loop="uvloop")
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
