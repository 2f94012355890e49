"""The configuration of a private node."""

from __future__ import annotations

import json
from pathlib import Path

from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Ports

PORTS = Ports(amqp=20_001, management=20_002, distribution=20_003, epmd=20_004)


def test_the_configuration_names_the_ports_and_no_guest(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path)
    identity = files.identity()
    files.write(identity, PORTS, listen_on="127.0.0.1")
    lines = (tmp_path / "rabbitmq.conf").read_text().splitlines()
    assert "listeners.tcp.1 = 127.0.0.1:20001" in lines
    assert "management.tcp.port = 20002" in lines
    assert f"default_pass = {identity.password}" in lines
    assert "guest" not in "".join(lines)
    assert json.loads((tmp_path / "identity.json").read_text())["password"] == identity.password
