"""RabbitMQ in a container, where a Docker engine answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from testcontainers.core.container import DockerContainer

from coordinator.rabbitmq_node.free_ports import choose_port
from coordinator.rabbitmq_node.readiness_probe import amqp_version, management_answers

from .waiting import eventually

__all__ = ["ContainerNode"]

START_TIMEOUT = 120.0


class ContainerNode:
    """A node like `LocalNode`, on ports that stay the same when it is started again."""

    username = "coordinator"
    password = "coordinator"

    def __init__(self, image: str, settings: Mapping[str, object]) -> None:
        taken: set[int] = set()
        self._amqp = choose_port([], taken=taken)
        self._management = choose_port([], taken=taken)
        self.version = ""
        self._created = False
        self._container = (
            DockerContainer(image)
            .with_env("RABBITMQ_DEFAULT_USER", self.username)
            .with_env("RABBITMQ_DEFAULT_PASS", self.password)
            .with_env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                " ".join(f"-rabbit {name} {value}" for name, value in settings.items()),
            )
            .with_bind_ports(5672, self._amqp)
            .with_bind_ports(15672, self._management)
        )

    @property
    def amqp_url(self) -> str:
        return f"amqp://{self.username}:{self.password}@127.0.0.1:{self._amqp}/"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self._management}"

    async def start(self) -> None:
        if self._created:
            await self._tell("start")
        else:
            await asyncio.to_thread(self._container.start)
            self._created = True
        self.version = await eventually(lambda: amqp_version(self._amqp), timeout=START_TIMEOUT)
        await eventually(
            lambda: management_answers(self._management, self.username, self.password),
            timeout=START_TIMEOUT,
        )

    async def stop(self) -> None:
        await self._tell("stop")

    async def kill(self) -> None:
        await self._tell("kill")

    async def suspend(self) -> None:
        await self._tell("pause")

    async def resume(self) -> None:
        await self._tell("unpause")

    async def ctl(self, *words: str) -> str:
        container = self._container.get_wrapped_container()
        status, printed = await asyncio.to_thread(container.exec_run, ["rabbitmqctl", *words])
        assert status == 0, printed
        return str(printed, "utf-8", "replace")

    async def _tell(self, verb: str) -> None:
        await asyncio.to_thread(getattr(self._container.get_wrapped_container(), verb))
