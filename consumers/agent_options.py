"""Holds everything that its author, or the command line, decides about an agent."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from coordinator.environment import ENV_PREFIX, FILE, secret_of, value_of
from coordinator.errors import BrokerRefused, InvalidRequest, OperatorError
from coordinator.near_names import nearest
from coordinator.protocol.broker_address_check import check_address
from coordinator.protocol.id_limits import AGENT_WORDS, check_id, check_path_id
from coordinator.protocol.messages.registration import MAX_METADATA, RegisterRequest
from coordinator.protocol.requirements import Profile

from ._artifacts.artifact_store import ArtifactStore
from ._artifacts.store_address import ARTIFACTS, opened_store
from ._values.result_encoding import NotJson, encoded
from .agent_timings import DEFAULT_TIMINGS, AgentTimings
from .interceptor import Interceptor, check_interceptors
from .option_checks import duration, folder, names, table, text, whole_number

__all__ = [
    "CANCEL_GRACE",
    "DEFAULT_AMQP_URL",
    "MAX_RESULT_BYTES",
    "AgentOptions",
    "with_hint_of_address",
]

logger = logging.getLogger(__name__)

AMQP_URL = f"{ENV_PREFIX}AMQP_URL"

DEFAULT_AMQP_URL = "amqp://guest:guest@127.0.0.1:5672"

MAX_RESULT_BYTES = 1024 * 1024
"""Bytes of JSON in a result; more belongs in a store: see `Task.store`."""

MAX_SLOTS = 1000

CANCEL_GRACE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """Checks the options of one agent. Raises `InvalidRequest` for what no coordinator would accept."""

    agent_id: str
    agent_type: str = "worker"
    capabilities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    slots: int = 1
    """How many tasks it does at once."""
    endpoints: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    version: str = "1.0.0"
    amqp_url: str | None = None
    """None means `COORDINATOR_AMQP_URL` from the environment, or the file that
    `COORDINATOR_AMQP_URL_FILE` names, else a broker on this machine."""
    cache_dir: Path | None = None
    """Where the last registration is kept; None means the user's cache folder."""
    max_result_bytes: int = MAX_RESULT_BYTES
    cancel_grace: timedelta = CANCEL_GRACE
    """How long a handler that was told to stop may go on, before the agent no longer waits for it."""
    on_lost_connection: Literal["finish", "cancel"] = "finish"
    """What becomes of a running task that the broker gave to another agent, because the connection was
    lost: its handler goes on and reports late, or is cancelled."""
    interceptors: tuple[Interceptor, ...] = ()
    """Run around every handler, the first of them outermost."""
    metrics_port: int | None = None
    """Where `GET /metrics` tells Prometheus of this agent; 0 takes a free port, None tells nobody. Needs the
    extra `metrics`."""
    metrics_host: str = "127.0.0.1"
    """Address of that port."""
    artifacts: str | None = None
    """Where `Task.store` keeps what is too large for a result: `file:///folder` or `s3://bucket/prefix`. None
    means `COORDINATOR_ARTIFACTS` from the environment, else there is no store."""
    timings: AgentTimings = DEFAULT_TIMINGS
    """How often it acts by itself, and how long it waits: of no concern to most authors."""

    def __post_init__(self) -> None:
        check_path_id(self.agent_id, "the id of an agent", field="agent_id", words=AGENT_WORDS)
        check_id(self.agent_type, "the type of an agent", field="agent_type")
        self._settle("capabilities", names(self.capabilities, "capabilities"))
        self._settle("services", names(self.services, "services"))
        self._settle("tags", names(self.tags, "tags"))
        self._settle("endpoints", table(self.endpoints, "endpoints", of_strings=True))
        self._settle("metadata", table(self.metadata, "metadata"))
        text(self.version, "version")
        if self.cache_dir is not None:
            self._settle("cache_dir", folder(self.cache_dir, "cache_dir"))
        for capability in self.capabilities:
            check_id(capability, "a capability", field="capabilities")
        for service in self.services:
            check_id(service, "a service", field="services")
        _check_metadata(self.metadata)
        whole_number(self.slots, "slots", least=1, most=MAX_SLOTS)
        whole_number(self.max_result_bytes, "max_result_bytes", least=1)
        duration(self.cancel_grace, "cancel_grace")
        if self.metrics_port is not None:
            whole_number(self.metrics_port, "metrics_port", least=0, most=65535)
        text(self.metrics_host, "metrics_host")
        if self.artifacts is not None:
            text(self.artifacts, "artifacts")
        self._settle("interceptors", check_interceptors(self.interceptors))
        if self.on_lost_connection not in ("finish", "cancel"):
            raise InvalidRequest(
                "on_lost_connection must be 'finish' or 'cancel'", field="on_lost_connection"
            )

    def _settle(self, field: str, value: object) -> None:
        """Keep it as the type that is declared, whatever it was given as."""
        object.__setattr__(self, field, value)

    def profile(self, task_types: Collection[str] | None = None) -> Profile:
        """What it can do, with handlers for ``task_types``; None for all."""
        return Profile(
            agent_id=self.agent_id,
            agent_type=self.agent_type,
            capabilities=frozenset(self.capabilities),
            services=frozenset(self.services),
            task_types=None if task_types is None else frozenset(task_types),
        )

    def request(self, instance: str, task_types: Collection[str]) -> RegisterRequest:
        """The request to be registered, as ``instance`` of this agent with handlers for ``task_types``."""
        return RegisterRequest(
            agent_id=self.agent_id,
            agent_type=self.agent_type,
            capabilities=list(self.capabilities),
            services=list(self.services),
            task_types=list(task_types),
            endpoints=self.endpoints,
            metadata=self.metadata,
            version=self.version,
            tags=list(self.tags),
            slots=self.slots,
            instance=instance,
        )

    def broker_url(self) -> str:
        """Read when the agent starts, not when its module is imported. Raises `OperatorError`."""
        if self.amqp_url is not None:
            return check_address(self.amqp_url, "the argument amqp_url")
        found = secret_of(AMQP_URL)
        if found is not None:
            return check_address(found.value, found.name)
        _warn_of_names_like(AMQP_URL)
        logger.info(
            "no address of a broker is given: connecting to the one on this machine as guest"
        )
        return DEFAULT_AMQP_URL

    def artifact_store(self) -> ArtifactStore | None:
        """Opened, which connects to nothing; None where none is named. Read when the agent starts. Raises
        `OperatorError`.
        """
        address = self.artifacts or value_of(ARTIFACTS)
        if address is None:
            _warn_of_names_like(ARTIFACTS)
            return None
        return opened_store(address)

    def cache_folder(self) -> Path | None:
        """None where there is none: a user without a home, as containers have."""
        if self.cache_dir is not None:
            return self.cache_dir
        home = value_of("XDG_CACHE_HOME")
        try:
            return (Path(home) if home else Path.home() / ".cache") / "agent-coordinator"
        except RuntimeError:
            return None


def with_hint_of_address(error: OperatorError, url: str) -> OperatorError:
    """``error`` of the broker at ``url``; where that is what is tried without an address, it says how to give
    one: the broker of `coordinator up` has no guest.
    """
    if not isinstance(error, BrokerRefused) or url != DEFAULT_AMQP_URL:
        return error
    return BrokerRefused(
        "The broker at 127.0.0.1:5672 refuses the user guest, as whom an agent connects where no address is"
        f" given: name the file with its own in {AMQP_URL}{FILE}, which `coordinator agents add ID --to"
        " FILE` writes"
    )


def _warn_of_names_like(variable: str) -> None:
    """Of what is set and is spelt nearly as this one, which is not."""
    own = variable[len(ENV_PREFIX) :].lower()
    for name in os.environ:
        if (
            name.startswith(ENV_PREFIX)
            and name not in (variable, f"{variable}{FILE}")
            and nearest(name[len(ENV_PREFIX) :], [own])
        ):
            logger.warning("%s is not read: was %s meant?", name, variable)


def _check_metadata(metadata: dict[str, Any]) -> None:
    """What a coordinator would keep as something else, NaN as null, the key 1 as "1", or refuse."""
    try:
        _, size = encoded(metadata)
    except NotJson as exc:
        raise InvalidRequest(
            f"metadata cannot be told as JSON ({exc.why}): {exc.advice}", field="metadata"
        ) from None
    if size > MAX_METADATA:
        raise InvalidRequest(
            f"metadata has {size} bytes as JSON; at most {MAX_METADATA}: keep the rest elsewhere, and say"
            " where",
            field="metadata",
        )
