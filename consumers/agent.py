"""Makes an agent of its author's functions: see `Agent`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from ._process.log_format import log_to_standard_error
from .agent_options import CANCEL_GRACE, MAX_RESULT_BYTES, AgentOptions
from .agent_process import AgentProcess
from .handler_table import HandlerFunction, HandlerTable
from .interceptor import Interceptor, check_interceptors
from .option_checks import folder, names, table
from .running_agent import RunningAgent

__all__ = ["Agent", "run_agents"]

Function = TypeVar("Function", bound=HandlerFunction)


class Agent:
    """Holds handlers, and who they are to the rest of the fleet; making one opens nothing.

        agent = Agent("hermes-agent", capabilities=["analysis"], slots=4)

        @agent.task("word-count")
        async def word_count(task):
            return {"words": len(task.data["text"].split())}

        agent.run()

    ``slots`` is how many tasks it does at once. ``amqp_url`` None means `COORDINATOR_AMQP_URL` from
    the environment, else a broker on this machine. ``interceptors`` run around every handler, the first
    of them outermost: see `Interceptor`. With a ``metrics_port`` it tells Prometheus of itself there.
    ``artifacts`` is where `Task.store` keeps things; None means `COORDINATOR_ARTIFACTS`.
    Raises `InvalidRequest`.
    """

    def __init__(
        self,
        agent_id: str,
        *,
        agent_type: str = "worker",
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        slots: int = 1,
        endpoints: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        version: str = "1.0.0",
        amqp_url: str | None = None,
        cache_dir: str | Path | None = None,
        max_result_bytes: int = MAX_RESULT_BYTES,
        cancel_grace: timedelta = CANCEL_GRACE,
        on_lost_connection: Literal["finish", "cancel"] = "finish",
        interceptors: Sequence[Interceptor] = (),
        metrics_port: int | None = None,
        metrics_host: str = "127.0.0.1",
        artifacts: str | None = None,
    ) -> None:
        self.options = AgentOptions(
            agent_id=agent_id,
            agent_type=agent_type,
            capabilities=names(capabilities, "capabilities"),
            services=names(services, "services"),
            slots=slots,
            endpoints=table({} if endpoints is None else endpoints, "endpoints"),
            metadata=table({} if metadata is None else metadata, "metadata"),
            tags=names(tags, "tags"),
            version=version,
            amqp_url=amqp_url,
            cache_dir=None if cache_dir is None else folder(cache_dir, "cache_dir"),
            max_result_bytes=max_result_bytes,
            cancel_grace=cancel_grace,
            on_lost_connection=on_lost_connection,
            interceptors=check_interceptors(interceptors),
            metrics_port=metrics_port,
            metrics_host=metrics_host,
            artifacts=artifacts,
        )
        self.handlers = HandlerTable()

    @property
    def agent_id(self) -> str:
        """Unique in the fleet."""
        return self.options.agent_id

    def configure(self, **changes: Any) -> None:
        """Change options before it runs, such as ``slots=8``: the fields of `AgentOptions`."""
        self.options = replace(self.options, **changes)

    def task(self, task_type: str | None = None) -> Callable[[Function], Function]:
        """Make a function the handler of ``task_type``; without a type, see `default`.

        A coroutine function runs on the event loop and must not block it; a plain function runs in
        a thread. It takes the task, a parameter that is annotated with a pydantic model for the task's
        data, or both. What it returns is the result, what it raises fails the attempt; see `RetryLater`
        and `Discard`. Raises `TypeError` for what cannot be a handler.
        """
        if callable(task_type):
            raise TypeError("write @agent.task() or @agent.default, with parentheses after task")

        def register(function: Function) -> Function:
            self.handlers.add(task_type, function)
            return function

        return register

    def default(self, function: Function) -> Function:
        """Make a function the handler of tasks without a type, and of a type that no agent announced."""
        self.handlers.add(None, function)
        return function

    def running(self) -> RunningAgent:
        """To be entered with `async with`, inside an event loop; leaving it drains."""
        return RunningAgent(self.options, self.handlers)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then finish what runs. A second signal does not wait for it.

        Only for the main thread, and where no event loop runs; elsewhere see `running`. Raises
        `BrokerRefused` or `RegistrationRefused` where it cannot work at all, and `RuntimeError` where
        something else than a signal or a `drain` would end it.
        """
        run_agents([self])


def run_agents(agents: Sequence[Agent], *, log_level: str | None = None) -> None:
    """Run several in one process, each as `Agent.run` runs one. A ``log_level`` counts also where their
    author has set up logging; None is that of the environment, where the author has not.
    """
    log_to_standard_error(log_level)
    AgentProcess(*((agent.options, agent.handlers) for agent in agents)).run()
