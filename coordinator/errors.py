"""Every error of the project, in one tree; the branches are audiences.

    CoordinatorError
    ├── RequestError ............ the caller can fix it (a 4xx)
    │   ├── NotAuthenticated .... no credential that is known
    │   ├── RoleMissing ......... a known caller that may not do this
    │   ├── TooManyRequests ..... more than this caller may send, or have
    │   ├── InvalidRequest ...... a value that no retry makes right
    │   │   └── InvalidPriority
    │   ├── PayloadTooLarge
    │   │   └── MessageTooLarge . for this broker, for as long as its limit stands
    │   ├── TooManyLanes
    │   ├── Conflict ............ the same id, another content
    │   │   └── KeyInUse ........ the same request is being answered now
    │   ├── WrongState .......... a task that has ended, or has not
    │   ├── RegistrationRefused . an agent that the coordinator does not take
    │   └── NotFound
    │       ├── AgentNotFound
    │       ├── GroupNotFound
    │       ├── LaneNotFound
    │       ├── ParkedNotFound
    │       ├── PathNotFound
    │       ├── ScheduleNotFound
    │       └── TaskNotFound
    ├── Unavailable ............. waiting may fix it (a 503)
    │   ├── BrokerUnavailable ... nothing was sent
    │   │   ├── ConnectionLost
    │   │   ├── ChannelLost
    │   │   │   ├── QueueMissing
    │   │   │   ├── QueueLocked
    │   │   │   └── Superseded .. another coordinator has taken the log over
    │   │   ├── OtherLedger ..... this broker belongs to another ledger
    │   │   ├── NotOpened ....... the broker's queues are not declared yet
    │   │   ├── PublishRefused .. the broker answered no
    │   │   └── QueuesFull ...... as much waits as may
    │   ├── OutcomeUnknown ...... sent, and neither confirmed nor refused
    │   │   └── PublishNacked ... one of its queues does not have it
    │   ├── StreamRefused ....... no stream can be opened here now
    │   ├── LedgerUnavailable
    │   └── LedgerBehind ........ what was accepted may not be known here yet
    ├── Unreadable .............. nobody can fix it: it is parked
    │   ├── MalformedMessage
    │   ├── ForgedIdentity
    │   └── WrongToken
    └── OperatorError ........... the operator must fix it, and is told how in one line
        ├── BrokerRefused
        │   └── QueueRefused .... this user may not read one queue
        ├── TopologyConflict
        ├── BrokerTooOld
        └── OtherVersionsData ... a private broker cannot go on with the folder of another version

The class docstring is the default message; each error says what to do next.
"""

from __future__ import annotations

import inspect

__all__ = [
    "AgentNotFound",
    "BrokerRefused",
    "BrokerTooOld",
    "BrokerUnavailable",
    "ChannelLost",
    "Conflict",
    "ConnectionLost",
    "CoordinatorError",
    "ForgedIdentity",
    "GroupNotFound",
    "InvalidPriority",
    "InvalidRequest",
    "KeyInUse",
    "LaneNotFound",
    "LedgerBehind",
    "LedgerUnavailable",
    "MalformedMessage",
    "MessageTooLarge",
    "NotAuthenticated",
    "NotFound",
    "NotOpened",
    "OperatorError",
    "OtherLedger",
    "OtherVersionsData",
    "OutcomeUnknown",
    "ParkedNotFound",
    "PathNotFound",
    "PayloadTooLarge",
    "PublishNacked",
    "PublishRefused",
    "QueueLocked",
    "QueueMissing",
    "QueueRefused",
    "QueuesFull",
    "RegistrationRefused",
    "RequestError",
    "RoleMissing",
    "ScheduleNotFound",
    "StreamRefused",
    "Superseded",
    "TaskNotFound",
    "TooManyLanes",
    "TooManyRequests",
    "TopologyConflict",
    "Unavailable",
    "Unreadable",
    "WrongState",
    "WrongToken",
]


class CoordinatorError(Exception):
    """Something went wrong in the coordinator."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)))

    @property
    def message(self) -> str:
        return str(self)


class RequestError(CoordinatorError):
    """The request cannot be served as it is."""


class NotAuthenticated(RequestError):
    """This needs an API key or a JWT: send it as `Authorization: Bearer`, or a key as `X-API-Key`."""


class RoleMissing(RequestError):
    """The credential does not have the role that this needs."""

    def __init__(self, message: str, *, role: str) -> None:
        super().__init__(message)
        self.role = role


class TooManyRequests(RequestError):
    """There are more requests of this caller than it may send: wait, and send fewer."""

    def __init__(self, message: str | None = None, *, retry_after: float = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class InvalidRequest(RequestError):
    """A value in the request is not valid."""

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidPriority(InvalidRequest):
    """Invalid priority."""

    def __init__(self, value: object) -> None:
        super().__init__(f"Invalid priority: {value}", field="priority")
        self.value = value


class PayloadTooLarge(RequestError):
    """The request body is too large."""


class MessageTooLarge(PayloadTooLarge):
    """The message is larger than the broker takes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"The message has {size} bytes, and the broker takes {limit} at most: store the data"
            " elsewhere and send a reference to it, or raise max_message_size on the broker and"
            " COORDINATOR_MAX_MESSAGE_BYTES"
        )
        self.size = size
        self.limit = limit
        """Bytes: RabbitMQ's `max_message_size`, or `COORDINATOR_MAX_MESSAGE_BYTES` where that is less."""


class TooManyLanes(RequestError):
    """Too many different requirement sets are in use."""


class Conflict(RequestError):
    """This id was used before, with another content."""


class WrongState(RequestError):
    """The task is in a state in which this cannot be done."""


class KeyInUse(Conflict):
    """The first request with this Idempotency-Key is still being answered: repeat it in a moment."""


class RegistrationRefused(RequestError):
    """The coordinator refuses this agent."""


class NotFound(RequestError):
    """There is no such thing."""


class AgentNotFound(NotFound):
    """Agent not found"""

    def __init__(self, agent_id: str) -> None:
        super().__init__()
        self.agent_id = agent_id


class GroupNotFound(NotFound):
    """Group not found: no task of it is known, or none that this caller may see"""

    def __init__(self, group_id: str) -> None:
        super().__init__()
        self.group_id = group_id


class LaneNotFound(NotFound):
    """Lane not found: GET /tasks/queues/stats has those that are open"""


class ScheduleNotFound(NotFound):
    """Schedule not found"""

    def __init__(self, schedule_id: str) -> None:
        super().__init__()
        self.schedule_id = schedule_id


class TaskNotFound(NotFound):
    """Task not found"""

    def __init__(self, task_id: str) -> None:
        super().__init__()
        self.task_id = task_id


class ParkedNotFound(NotFound):
    """Parked message not found"""


class PathNotFound(NotFound):
    """Path not found: see /docs"""


class Unavailable(CoordinatorError):
    """Not available right now; try again shortly."""


class BrokerUnavailable(Unavailable):
    """The broker cannot be reached right now; nothing was sent."""


class ConnectionLost(BrokerUnavailable):
    """The connection to the broker was lost."""


class ChannelLost(BrokerUnavailable):
    """The channel to the broker was closed."""


class QueueMissing(ChannelLost):
    """The queue does not exist; asking for it closed the channel."""


class Superseded(ChannelLost):
    """Another coordinator has taken over what this one was doing; this one waits for its turn."""


class QueueLocked(ChannelLost):
    """Another connection holds this queue for itself."""


class OtherLedger(BrokerUnavailable):
    """This broker belongs to another ledger."""

    def __init__(self, own: str, other: str | None) -> None:
        named = f" ({other})" if other else ""
        super().__init__(
            f"This broker belongs to another ledger{named} than that of this coordinator ({own}): name"
            " that ledger with COORDINATOR_DATABASE_URL or COORDINATOR_DATA_DIR, or another broker or"
            " virtual host with COORDINATOR_AMQP_URL. Nothing was sent."
        )
        self.own = own
        self.other = other


class NotOpened(BrokerUnavailable):
    """The broker cannot be reached right now, or its queues are still being opened; nothing was sent."""


class PublishRefused(BrokerUnavailable):
    """The broker refused the message; it was not stored."""


class QueuesFull(BrokerUnavailable):
    """As many tasks wait as are allowed: try again when agents have done some. Nothing was sent."""


class OutcomeUnknown(Unavailable):
    """The message was sent and the broker has neither confirmed nor refused it."""

    def __init__(self, message: str | None = None, *, task_id: str | None = None) -> None:
        super().__init__(message)
        self.task_id = task_id


class PublishNacked(OutcomeUnknown):
    """The broker could not store the message on each of its queues; some may have it."""


class StreamRefused(Unavailable):
    """As many streams are open as this process may have: try again shortly."""


class LedgerUnavailable(Unavailable):
    """The database cannot be reached right now."""


class LedgerBehind(Unavailable):
    """The ledger does not have yet what was accepted last, so it is not known whether there is such a
    thing: ask again shortly.
    """


class Unreadable(CoordinatorError):
    """A message that cannot be taken as an event."""


class MalformedMessage(Unreadable):
    """The message is not of a known shape."""


class ForgedIdentity(Unreadable):
    """The message speaks for an agent other than the one that its routing key names."""


class WrongToken(Unreadable):
    """The outcome carries a token that does not belong to this attempt of the task."""


class OperatorError(CoordinatorError):
    """Something outside the program must be put right first."""


class BrokerRefused(OperatorError):
    """The broker refuses this user, password or virtual host: check COORDINATOR_AMQP_URL."""


class QueueRefused(BrokerRefused):
    """The broker refuses this user, who may not read from the queue."""


class TopologyConflict(OperatorError):
    """A queue or exchange exists with other arguments: delete it, or use another virtual host."""


class BrokerTooOld(OperatorError):
    """This RabbitMQ is too old: 3.10 or later is needed."""


class OtherVersionsData(OperatorError):
    """The private RabbitMQ cannot read what another version of it has written."""
