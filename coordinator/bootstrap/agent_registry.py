"""Makes what registers agents, hears their heartbeats and keeps snapshots of them; then what answers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.agents.control_queue_probe import ControlQueueProbe
from coordinator.registry.agents.heartbeat_answers import HeartbeatAnswers
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.agents.in_memory.named_tasks import NamedTasks
from coordinator.registry.agents.live_queue_reader import LedgerWaiters, LiveQueueReader
from coordinator.registry.agents.registrar import Registrar
from coordinator.registry.agents.registration_answers import (
    AnswersFollowUps,
    RegistrationAnswers,
    RegistrationTerms,
)
from coordinator.registry.agents.silent_agent_removal import SilentAgentRemoval
from coordinator.registry.projection.log_folding_watch import LogFoldingWatch
from coordinator.registry.queries.registry import SETTLE_APART, SETTLE_EVERY, Registry
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.settings.settings import Settings

from .publishers import Publishers
from .replacements import Timings
from .starting_state import StartingState

__all__ = ["AgentRegistry", "make_agent_registry", "make_agent_requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRegistry:
    """The agents, and the registry of tasks that joins them with the ledger."""

    agents: LiveAgents
    registry: Registry
    registrar: Registrar
    queue_probe: ControlQueueProbe
    snapshots: AgentSnapshots
    silent_agents: SilentAgentRemoval
    live_reader: LiveQueueReader


def make_agent_registry(
    settings: Settings,
    state: StartingState,
    publishers: Publishers,
    users: BrokerUsers,
    *,
    process: str,
    timings: Timings,
    grown: Callable[[], None],
    folding: LogFoldingWatch | None = None,
) -> AgentRegistry:
    """``process`` names this coordinator in the names of its own queues; ``users`` tell whose the users of
    the broker are. ``grown`` is called where the ledger may have grown. With ``folding`` another process
    folds the log, and writes the snapshots of agents.
    """
    barrier, publisher = publishers.barrier, publishers.publisher
    agents = LiveAgents(
        stale_after=settings.stale_after,
        named=NamedTasks(state.secret if settings.require_identity else None),
        now=state.now,
    )
    registry = Registry(
        ledger=state.ledger,
        agents=agents,
        book=state.book,
        catch_up=barrier.ledger,
        hear=barrier.live,
        settle_every=SETTLE_EVERY if folding is None else SETTLE_APART,
    )
    queue_probe = ControlQueueProbe(
        agents=agents,
        publisher=publisher,
        ready=publishers.ready,
        again_after=timings.probed_again_after,
    )
    registrar = Registrar(
        agents=agents,
        publisher=publisher,
        hear=barrier.live,
        has_queue=queue_probe.ask,
        opened=lambda: publishers.opener.ready,
        extra_agent_types=settings.extra_agent_types,
        max_names=settings.max_capabilities,
        now=state.now,
    )
    snapshots = AgentSnapshots(
        ledger=state.ledger,
        agents=agents,
        interval=settings.snapshot_interval,
        catch_up=barrier.ledger,
        writes=folding is None,
    )
    return AgentRegistry(
        agents=agents,
        registry=registry,
        registrar=registrar,
        queue_probe=queue_probe,
        snapshots=snapshots,
        silent_agents=SilentAgentRemoval(
            agents=agents, registrar=registrar, remove_after=settings.remove_after
        ),
        live_reader=LiveQueueReader(
            process=process,
            agents=agents,
            snapshots=snapshots,
            book=state.book,
            types=state.types,
            corrections=HeartbeatAnswers(
                agents=agents, book=state.book, commands=publishers.commands
            ),
            watching=LedgerWaiters(
                catching_up=barrier,
                waiters=registry.waiters,
                group_waiters=registry.group_waiters,
                folding=folding,
                grown=grown,
                followed=publishers.growth.followed,
            ),
            identities=users.identities,
        ),
    )


def make_agent_requests(
    settings: Settings,
    state: StartingState,
    publishers: Publishers,
    agents: AgentRegistry,
    users: BrokerUsers,
    *,
    follow_ups: AnswersFollowUps,
) -> RegistrationAnswers:
    """``users`` are those of `make_agent_registry`."""
    return RegistrationAnswers(
        registrar=agents.registrar,
        book=state.book,
        publisher=publishers.publisher,
        terms=RegistrationTerms(
            heartbeat_interval=settings.heartbeat_interval,
            stale_after=settings.stale_after,
            default_timeout=settings.default_timeout,
        ),
        follow_ups=follow_ups,
        why_not=lambda word, user: users.identities().why_not(word, user),
        now=state.now,
    )
