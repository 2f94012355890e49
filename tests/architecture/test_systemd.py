"""The units of `deploy/systemd` are what systemd reads, and name what the service knows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
INSTALLED = "/opt/agent-coordinator/bin/"

SECURITY = ("systemd-analyze", "security", "--offline=true", "--no-pager")
SAFE = 20
"""Tenths of the exposure, of a hundred, that `systemd-analyze security` calls OK."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """As they are installed, with an instance of each template, and programs that are there."""
    for path in FOLDER.glob("*.s*"):
        text = path.read_text().replace(INSTALLED, f"{Path(sys.executable).parent}/")
        (tmp_path / path.name).write_text(text)
        if "@." in path.name:
            (tmp_path / path.name.replace("@.", "@1.")).write_text(text)
    return tmp_path


@needs_systemd
def test_systemd_finds_no_fault(units: Path) -> None:
    names = [str(path) for path in sorted(units.iterdir()) if "@." not in path.name]
    names = [name for name in names if not name.endswith(".conf")]
    assert len(names) == 3
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")


@needs_systemd
def test_a_fault_is_found(units: Path) -> None:
    unit = units / "agent-coordinator@1.service"
    unit.write_text(unit.read_text().replace("Type=notify", "Type=never"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "service type" in found.stderr


@needs_systemd
@pytest.mark.parametrize(
    "unit", ["agent-coordinator@1.service", "agent-coordinator-agent@1.service"]
)
def test_a_service_is_open_to_little(units: Path, unit: str) -> None:
    found = subprocess.run(
        [*SECURITY, f"--threshold={SAFE}", str(units / unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_both_instances_have_the_socket_that_the_socket_unit_makes() -> None:
    service = (FOLDER / "agent-coordinator@.service").read_text()
    assert "Sockets=agent-coordinator.socket" in service
    assert (FOLDER / "agent-coordinator.socket").exists()
    (listening,) = re.findall(
        r"^ListenStream=(.+)$", (FOLDER / "agent-coordinator.socket").read_text(), re.MULTILINE
    )
    assert listening == f"{Settings().http_host}:{Settings().http_port}"


def test_a_service_has_the_time_to_drain() -> None:
    service = (FOLDER / "agent-coordinator@.service").read_text()
    (drained,) = re.findall(r"COORDINATOR_DRAIN_SECONDS=(\d+)", service)
    (stopped,) = re.findall(r"^TimeoutStopSec=(\d+)$", service, re.MULTILINE)
    assert int(drained) + 20 < int(stopped)
