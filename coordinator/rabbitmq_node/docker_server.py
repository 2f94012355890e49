"""Runs RabbitMQ in a Docker container, on a machine that has Docker and no server of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .node_configuration import environment
from .node_identity import Ports
from .server_launch import MOUNT_POINT, STOP_AT_END_OF_INPUT, Launch

__all__ = ["DockerServer", "find_docker_server"]

IMAGE = "rabbitmq:4-management"
ANSWER_TIMEOUT = 5.0
"""Seconds for Docker to tell its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerServer:
    """Runs the server as this user, on the same data folder and with the same configuration as a
    local one. ``docker run --interactive`` hands the end of its input on.
    """

    docker: Path
    image: str = IMAGE
    listens_on: str = "0.0.0.0"  # noqa: S104 - inside the container; published on loopback only

    def server(self, folder: Path, ports: Ports) -> Launch:
        published = [f"127.0.0.1:{port}:{port}" for port in (ports.amqp, ports.management)]
        inside = environment(Path(MOUNT_POINT), ports)
        del inside["PATH"]  # the image has its own
        command = [
            *(str(self.docker), "run", "--rm", "--interactive", "--hostname=localhost"),
            f"--user={os.getuid()}:{os.getgid()}",
            f"--volume={folder}:{MOUNT_POINT}",
            *(f"--publish={one}" for one in published),
            *(f"--env={name}={value}" for name, value in inside.items()),
            *(self.image, "rabbitmq-server", "-noshell", "-eval", STOP_AT_END_OF_INPUT),
        ]
        return Launch(command=command, env=dict(os.environ))

    def epmd(self, folder: Path, ports: Ports) -> None:  # noqa: ARG002
        """It starts inside the container, and ends with it."""
        return


def find_docker_server() -> DockerServer | None:
    """The server in a container, if there is Docker and its engine answers; else None."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=ANSWER_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return DockerServer(docker=Path(docker)) if asked.returncode == 0 else None
