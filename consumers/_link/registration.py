"""Making oneself known, and remembering the answer so as to start without a coordinator."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from pydantic import ValidationError

from coordinator.broker.publisher import Publisher
from coordinator.errors import RegistrationRefused, Unavailable
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.registration import REGISTER, RegisterReply, RegisterRequest
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.protocol.requirements import Profile
from coordinator.protocol.topology import REQUESTS

from .control_queue import ControlQueue

__all__ = ["Registration", "ReplyCache"]

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=5)
"""How long a reply is waited for, and how long a request may wait for a coordinator."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two requests; doubled each time, with jitter."""


class ReplyCache:
    """The last reply, in a file of its own for each agent, broker and profile: an agent that can do
    something else now, or on another broker, serves other queues.
    """

    def __init__(self, folder: Path | None, profile: Profile, *, amqp_url: str) -> None:
        """Nothing is kept where ``folder`` is None."""
        broker = urlsplit(amqp_url)
        what = [
            f"{broker.hostname}:{broker.port}{broker.path}",
            profile.agent_type,
            *sorted(profile.capabilities),
            "",
            *sorted(profile.services),
        ]
        self._told = False
        digest = hashlib.sha256("\n".join(what).encode()).hexdigest()[:12]
        self.path = (
            None if folder is None else folder / f"{encode_word(profile.agent_id)}.{digest}.json"
        )

    def load(self) -> RegisterReply | None:
        """None where there is none, or none that can be read."""
        if self.path is None:
            self._tell("there is no folder for it, since this user has no home")
            return None
        try:
            return RegisterReply.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as exc:
            self._tell(f"{self.path} cannot be read: {exc}")
            return None

    def save(self, reply: RegisterReply) -> None:
        """Replace it whole or not at all. An agent without a disk works, but for this."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(f".{new_id()}")
            fresh.write_text(reply.model_dump_json())
            fresh.replace(self.path)
        except OSError as exc:
            self._tell(f"{self.path} cannot be written: {exc}")

    def _tell(self, why: str) -> None:
        """Once: the agent works, but cannot start while no coordinator runs."""
        if not self._told:
            logger.warning(
                "the registration is not kept for the next start: %s (cache_dir or XDG_CACHE_HOME"
                " names another folder)",
                why,
            )
        self._told = True


class Registration:
    """``request`` makes what the agent says of itself; ``on_reply`` is given each accepted reply."""

    def __init__(
        self,
        request: Callable[[], RegisterRequest],
        *,
        publisher: Publisher,
        control: ControlQueue,
        clock: ReferenceClock,
        on_reply: Callable[[RegisterReply], None],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._request = request
        self._publisher = publisher
        self._control = control
        self._clock = clock
        self._on_reply = on_reply
        self._patience = patience
        self._needed = asyncio.Event()
        self._needed.set()
        self.done = asyncio.Event()
        """Set once a coordinator has accepted this agent."""

    def again(self) -> None:
        self._needed.set()

    async def run(self) -> NoReturn:
        """Register whenever it is needed. Raises `RegistrationRefused`."""
        while True:
            await self._needed.wait()
            reply = await self._obtain()
            if reply.error is not None:
                raise RegistrationRefused(f"The coordinator refuses this agent: {reply.error}")
            self._needed.clear()
            logger.info("registered", extra={"sources": len(reply.sources)})
            self._on_reply(reply)
            self.done.set()

    async def _obtain(self) -> RegisterReply:
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(self._patience.total_seconds()):
                    return await self._ask()
            except TimeoutError:
                why = "no coordinator answers"
            except Unavailable as exc:
                why = str(exc)
            except ValidationError as exc:
                why = f"the reply cannot be read: {exc}"
            if pause == FIRST_PAUSE:
                logger.warning("waiting to be registered: %s", why)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _ask(self) -> RegisterReply:
        queue = await self._control.queue()
        await self._publisher.ready()
        correlation_id = new_id()
        asked_at = self._clock.own()
        reply = asyncio.ensure_future(self._control.reply(correlation_id))
        try:
            await self._publisher.publish(
                Message(
                    body=self._request().model_dump_json(exclude_none=True).encode(),
                    message_id=correlation_id,
                    type=REGISTER,
                    correlation_id=correlation_id,
                    reply_to=queue,
                    expiration=self._patience,
                ),
                exchange="",
                key=REQUESTS,
                mandatory=True,
            )
            answer = RegisterReply.model_validate_json((await reply).body)
        finally:
            reply.cancel()
        if answer.coordinator_time is not None:
            self._clock.compare(answer.coordinator_time, asked_at=asked_at)
        return answer
