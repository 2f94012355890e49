"""The agent as its author writes it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from .handlers import HandlerFunction, Handlers
from .life import RunningAgent
from .log_lines import log_to_standard_error
from .options import CANCEL_GRACE, MAX_RESULT_BYTES, AgentOptions

__all__ = ["Agent"]

logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=HandlerFunction)


class Agent:
    """Handlers, and who they are to the rest of the fleet; making one opens nothing.

        agent = Agent("hermes-agent", capabilities=["analysis"], slots=4)

        @agent.task("word-count")
        async def word_count(task):
            return {"words": len(task.data["text"].split())}

        agent.run()

    ``slots`` is how many tasks it does at once. ``amqp_url`` None means `COORDINATOR_AMQP_URL` from
    the environment, else a broker on this machine. Raises `InvalidRequest`.
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
    ) -> None:
        self.options = AgentOptions(
            agent_id=agent_id,
            agent_type=agent_type,
            capabilities=tuple(capabilities),
            services=tuple(services),
            slots=slots,
            endpoints=dict(endpoints or {}),
            metadata=dict(metadata or {}),
            tags=tuple(tags),
            version=version,
            amqp_url=amqp_url,
            cache_dir=None if cache_dir is None else Path(cache_dir),
            max_result_bytes=max_result_bytes,
            cancel_grace=cancel_grace,
            on_lost_connection=on_lost_connection,
        )
        self.handlers = Handlers()

    @property
    def agent_id(self) -> str:
        return self.options.agent_id

    def configure(self, **changes: Any) -> None:
        """Change options before it runs, such as ``slots=8``: the fields of `AgentOptions`."""
        self.options = replace(self.options, **changes)

    def task(self, task_type: str | None = None) -> Callable[[Function], Function]:
        """Make a function the handler of ``task_type``; without a type, see `default`.

        A coroutine function runs on the event loop and must not block it; a plain function runs in
        a thread. What it returns is the result, what it raises fails the attempt; see `RetryLater`
        and `Discard`.
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

        Raises `BrokerRefused` or `RegistrationRefused` where it cannot work at all.
        """
        log_to_standard_error()
        with asyncio.Runner(loop_factory=_event_loop_factory()) as runner:
            runner.run(self._run_until_told())

    def _leave(self) -> None:
        """A coroutine that swallows its cancellation would keep the event loop open for ever."""
        logger.warning("ending with a handler that does not end")
        logging.shutdown()
        os._exit(0)

    async def _run_until_told(self) -> None:
        loop = asyncio.get_running_loop()
        told: list[signal.Signals] = []
        main = asyncio.current_task()
        life: RunningAgent | None = None

        def tell(number: signal.Signals) -> None:
            told.append(number)
            if life is None:
                if main is not None:
                    main.cancel()
            elif len(told) == 1:
                logger.info("finishing what runs; a second signal stops it now")
                life.drain()
            else:
                life.hurry()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, tell, number)
        try:
            async with RunningAgent(self.options, self.handlers) as life:
                logger.info(
                    "at work",
                    extra={"agent_id": self.agent_id, "slots": self.options.slots},
                )
                await life.told_to_stop()
            if life.stuck:
                self._leave()
        except asyncio.CancelledError:
            if not told:
                raise
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def _event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed, None for the standard one."""
    try:
        import uvloop  # noqa: PLC0415 - an agent needs it not
    except ImportError:
        return None
    return uvloop.new_event_loop
