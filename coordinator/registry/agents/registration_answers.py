"""Answers agents' requests over AMQP: to register, to be told which queues to serve, to have a control queue
opened, and to submit follow-up tasks, which it hands on.

A request that comes by `coordinator.events` is its author's: the routing key says whose, and its body has to
agree. It is answered on a control queue of that agent alone, which is declared here. One that comes by the
default exchange is of an agent of before, which has declared its control queue itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from pydantic import ValidationError

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, MalformedMessage, RequestError, Unavailable
from coordinator.protocol.json_values.lenient_reading import read_model
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_requests.follow_up import SUBMIT_TASK, FollowUpReply
from coordinator.protocol.messages.registration import (
    CONTROL_QUEUE,
    REGISTER,
    ControlQueueRequest,
    RegisterReply,
    RegisterRequest,
    SourceOffer,
    is_control_queue,
    may_be_opened,
    reply_allowed,
    reply_queue,
    request_author,
)
from coordinator.protocol.messages.task_message import describe
from coordinator.protocol.messages.wake_call import wake_queue
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.topology import EVENTS, REQUESTS
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.agents.in_memory.known_agent import profile_of

from .control_queue_opener import ControlQueueOpener
from .refused_users import RefusedUsers
from .registrar import Registrar
from .wake_queue_opener import WakeQueueOpener

__all__ = ["AnswersFollowUps", "RegistrationAnswers", "RegistrationTerms"]

logger = logging.getLogger(__name__)

BATCH = 100

AnswersFollowUps = Callable[[bytes, TraceContext | None], Awaitable[FollowUpReply]]
"""Called with the body of a request for a follow-up task, whose sender is known to be its `agent_id`, and the
place in a trace that it was sent from. Raises `Unavailable`: it is not answered then, and asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationTerms:
    """Are told to every agent when it registers."""

    heartbeat_interval: timedelta = timedelta(seconds=10)
    """How often it is to beat."""
    stale_after: timedelta = timedelta(seconds=60)
    """Silence after which it counts as stale."""
    default_timeout: timedelta = timedelta(hours=1)
    """What an attempt may take that has no limit of its own."""


class RegistrationAnswers:
    """Answers each request once. Run `session` with `Connection.keep`; several coordinators share the queue.

    A request that its sender no longer waits for has expired in the queue and does not arrive.
    """

    def __init__(
        self,
        *,
        registrar: Registrar,
        book: TaskQueues,
        publisher: PublishesMessages,
        terms: RegistrationTerms,
        follow_ups: AnswersFollowUps,
        why_not: Callable[[str, str | None], str | None] = lambda _word, _user: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``follow_ups`` answers requests for follow-up tasks. ``why_not`` tells why a user of the broker may
        not speak for the agent that is called so there: `BrokerIdentities.why_not`.
        """
        self._why_not = why_not
        self._registrar = registrar
        self._book = book
        self._publisher = publisher
        self._terms = terms
        self._follow_ups = follow_ups
        self._now = now
        self._wake_queues = WakeQueueOpener(now)
        self._control_queues = ControlQueueOpener()
        self.refused = 0
        """Requests that were answered with an error, or could not be answered at all."""
        self.refused_users = RefusedUsers()

    async def session(self, link: Link) -> NoReturn:
        """Answer until the link is lost. Raises `ChannelLost`."""
        self._wake_queues.use(link)
        self._control_queues.use(link)
        async with BatchReader(link, queue=REQUESTS, name="requests", batch=BATCH) as batches:
            async for batch in batches:
                await asyncio.gather(*(self._answer(delivery) for delivery in batch))
                await batches.settle(batch)
        raise ChannelLost

    async def _answer(self, delivery: Delivery) -> None:
        """Whatever comes of it, the request is done with: an agent that hears nothing asks again."""
        message = replace(delivery.message, reply_to=reply_queue(delivery.message.reply_to))
        if delivery.exchange == EVENTS:
            await self._answer_author(message, request_author(delivery.routing_key) or "")
        else:
            await self._answer_of_before(message)

    async def _answer_author(self, message: Message, word: str) -> None:
        """The agent called ``word`` asks, says the routing key. Until its user is known to be that agent's,
        nothing is opened and nothing answered: the queues of that name are the agent's.
        """
        if message.reply_to is None or not may_be_opened(word, message.reply_to):
            self._refuse(message, word, "its reply_to is no name for a control queue of its author")
            return
        sender, unread = word, None
        try:
            sender = _sender(message, word)
        except MalformedMessage as exc:
            unread = str(exc)
        if (why := self._why_not(word, message.user_id)) is not None:
            self._refuse_user(message, sender, why)
            return
        if not await self._control_queues.open(word, message.reply_to):
            return
        if unread is not None:
            await self._answer_unread(message, unread)
        elif message.type != CONTROL_QUEUE:  # which is there
            await self._answer_known(message, sender)

    async def _answer_of_before(self, message: Message) -> None:
        """Who asks is in the body alone. It may be told why it is refused: whoever reaches the default
        exchange reaches that queue, too.
        """
        try:
            sender = _sender(message, None)
        except MalformedMessage as exc:
            # Nobody knows whose it is. A control queue is an agent's, and this one has asked.
            await self._answer_unread(message, str(exc))
            return
        if not reply_allowed(sender, message.reply_to):
            self._refuse(message, sender, "its reply_to is no control queue of this agent")
            return
        if (why := self._why_not(encode_word(sender), message.user_id)) is not None:
            self._refuse_user(message, sender, why)
            await self._send(message, sender, _error(message, f"Not registered: {why}"))
            return
        await self._answer_known(message, sender)

    async def _answer_known(self, message: Message, sender: str) -> None:
        try:
            if message.type == SUBMIT_TASK:
                trace = TraceContext.among(message.headers)
                await self._reply(message, await self._follow_ups(message.body, trace))
            else:
                await self._reply(message, await self._answer_to(message))
        except Unavailable as exc:
            logger.info("a request goes unanswered", extra={"agent_id": sender, "why": str(exc)})

    def _refuse(self, message: Message, agent_id: str, why: str) -> None:
        self.refused += 1
        _log_refused(message, agent_id, why)

    def _refuse_user(self, message: Message, agent_id: str, why: str) -> None:
        self.refused += 1
        if self.refused_users.note(agent_id, message.user_id):
            _log_refused(message, agent_id, why)

    async def _answer_unread(self, message: Message, why: str) -> None:
        self._refuse(message, "", why)
        if is_control_queue(message.reply_to):
            await self._send(message, "", _error(message, why))

    async def _send(
        self, message: Message, agent_id: str, reply: RegisterReply | FollowUpReply
    ) -> None:
        try:
            await self._reply(message, reply)
        except Unavailable as exc:
            logger.info("a request goes unanswered", extra={"agent_id": agent_id, "why": str(exc)})

    async def _answer_to(self, message: Message) -> RegisterReply:
        if message.type != REGISTER:
            return self._refusal(f"no request is called {message.type!r}")
        try:
            request = read_model(RegisterRequest, message.body)
            registered_at = await self._registrar.register(request)
        except ValidationError as exc:
            return self._refusal(describe(exc))
        except RequestError as exc:
            return self._refusal(str(exc))
        profile = profile_of(request)
        wakes = await self._wake_queues.open(wake_queue(profile))
        offered = self._book.offered_to(profile)  # nothing is waited for between this and the reply
        return RegisterReply(
            registered_at=registered_at.isoformat(),
            coordinator_time=self._now(),
            sources=[SourceOffer.of(one, self._book.requirements(one)) for one in offered],
            heartbeat_seconds=self._terms.heartbeat_interval.total_seconds(),
            stale_after_seconds=self._terms.stale_after.total_seconds(),
            default_timeout_seconds=self._terms.default_timeout.total_seconds(),
            wake_queue=wakes,
            wake_queues=self._wake_queues.count,
        )

    def _refusal(self, why: str) -> RegisterReply:
        self.refused += 1
        return RegisterReply(error=why)

    async def _reply(self, request: Message, reply: RegisterReply | FollowUpReply) -> None:
        answer = Message(
            body=reply.to_json(),
            type=SUBMIT_TASK if isinstance(reply, FollowUpReply) else REGISTER,
            correlation_id=request.correlation_id,
            persistent=False,
        )
        await self._publisher.publish(answer, exchange="", key=request.reply_to or "")


def _error(request: Message, why: str) -> RegisterReply | FollowUpReply:
    """In the form that whoever asks expects."""
    if request.type == SUBMIT_TASK:
        return FollowUpReply(error=why)
    return RegisterReply(error=why)


def _sender(message: Message, word: str | None) -> str:
    """Who asks, which has to be the agent called ``word`` where that is known. Raises `MalformedMessage`."""
    try:
        sender = read_model(ControlQueueRequest, message.body).agent_id
    except ValidationError as exc:
        raise MalformedMessage(describe(exc)) from exc
    if word not in (None, encode_word(sender)):
        raise MalformedMessage(f"agent_id is {sender!r}, and the routing key names another agent")
    return sender


def _log_refused(message: Message, agent_id: str, why: str) -> None:
    logger.warning(
        "a request that cannot be read or answered",
        extra={
            "request": message.type,
            "agent_id": agent_id,
            "reply_to": message.reply_to,
            "why": why,
        },
    )
