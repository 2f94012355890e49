"""Writes the configuration of a private RabbitMQ node: its rabbitmq.conf and its environment. Pure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from .node_identity import Identity, Ports

__all__ = ["CONSUMER_TIMEOUT", "NODE_NAME", "configuration", "environment"]

NODE_NAME = "coordinator@localhost"
"""Fixed, because the data folder is bound to it; private, because the epmd that knows it is."""

CONSUMER_TIMEOUT = timedelta(days=8)
"""RabbitMQ closes the channel of a consumer that holds a message longer. Its default of 30 minutes
would end long tasks; the deadline of a task, at most seven days, is the coordinator's business."""


def configuration(identity: Identity, ports: Ports, listen_on: str) -> str:
    """The text of the node's rabbitmq.conf; ``listen_on`` is the address of its listeners."""
    lines = {
        "listeners.tcp.1": f"{listen_on}:{ports.amqp}",
        "management.tcp.ip": listen_on,
        "management.tcp.port": ports.management,
        # Used once, when the node is new: instead of the well-known guest.
        "default_user": identity.username,
        "default_pass": identity.password,
        "default_user_tags.administrator": "true",
        "consumer_timeout": round(CONSUMER_TIMEOUT.total_seconds() * 1000),
        # The log of the quorum queues is also kept in memory up to this size. The default of
        # 512 MiB is for machines that do nothing else.
        "raft.wal_max_size_bytes": 64 * 1024 * 1024,
        "disk_free_limit.absolute": "256MB",
        "log.console": "false",
        "log.file.level": "info",
        "log.file.rotation.size": 10_000_000,
        "log.file.rotation.count": 3,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def environment(seen: Path, ports: Ports) -> dict[str, str]:
    """The server's environment; ``seen`` is the folder as the server sees it.

    Everything that RabbitMQ would read from elsewhere on the machine is named, so that the node
    shares nothing with one that is installed there.
    """
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": str(seen / "home"),
        "ERL_CRASH_DUMP": str(seen / "log" / "erl_crash.dump"),  # not where the command was given
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(ports.epmd),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(seen / "advanced"),
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_CONFIG_FILE": str(seen / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(seen / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(seen / "mnesia" / "feature_flags"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(seen / "config"),
        "RABBITMQ_LOG_BASE": str(seen / "log"),
        "RABBITMQ_MNESIA_BASE": str(seen / "mnesia"),
        "RABBITMQ_NODENAME": NODE_NAME,
        "RABBITMQ_PID_FILE": str(seen / "node.pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
