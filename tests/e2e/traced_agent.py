"""An agent whose handlers call others over HTTP, with the client's official instrumentation."""

from __future__ import annotations

import logging
import os
import urllib.request
from typing import Any

import httpx
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from consumers import Agent, Task

HTTPXClientInstrumentor().instrument()

agent = Agent(os.environ.get("E2E_ID", "traced"), agent_type="specialist")

own = logging.getLogger("consumers.of_an_author")


@agent.task("call")
async def call(task: Task) -> dict[str, Any]:
    """Fail as often as the task asks, then call."""
    await task.progress(0.5, "half of it")
    own.info("a line of an author's own")
    if task.attempt <= task.data.get("failures", 0):
        raise RuntimeError("asked to fail")
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.get(task.data["url"])
    return {"traceparent": task.traceparent, "tracestate": task.tracestate}


@agent.task("speak")
async def speak(task: Task) -> None:
    for _ in range(100):
        await task.emit("word")


@agent.task("speak-in-a-thread")
def speak_in_a_thread(task: Task) -> None:
    for _ in range(3):
        task.emit("word")


@agent.task("nothing")
async def nothing(_: Task) -> None:
    """Its types are announced once one of them was done."""


@agent.task("call-in-a-thread")
def call_in_a_thread(task: Task) -> None:
    with httpx.Client(trust_env=False) as http:
        http.get(task.data["url"])


@agent.task("call-by-hand")
def call_by_hand(task: Task) -> None:
    """As an author does it who has no tracing library."""
    headers = {} if task.traceparent is None else {"traceparent": task.traceparent}
    request = urllib.request.Request(task.data["url"], headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        answer.read()
