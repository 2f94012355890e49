"""What `deploy/` tells a service is what it takes, and where it is asked is where it answers."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.routing import Route

from consumers.__main__ import main as consumers_main
from coordinator.api.endpoints import health
from coordinator.commands.argument_parser import argument_parser
from coordinator.environment import ENV_PREFIX, FILE
from coordinator.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
UNITS = DEPLOY / "systemd"
CONTENTS = {
    "AMQP_URL": "amqp://somebody:secret@broker:5672",
    "DATABASE_URL": "postgresql://somebody:secret@database/coordinator",
}
"""Of files that hold secrets."""

Object = dict[str, Any]


def manifests() -> list[Object]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [
        one for path in files for one in yaml.safe_load_all(path.read_text()) if "metadata" in one
    ]


def manifest(kind: str, name: str) -> Object:
    (found,) = (
        one for one in manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name)
    )
    return found


def pod(kind: str, name: str) -> Object:
    spec: Object = manifest(kind, name)["spec"]["template"]["spec"]
    return spec


def compose(*files: str) -> dict[str, Object]:
    """The services of the files, of which later ones add to the environment of earlier ones."""
    services: dict[str, Object] = {}
    for file in files:
        for name, one in yaml.safe_load((DEPLOY / "compose" / file).read_text())[
            "services"
        ].items():
            before = services.get(name, {})
            told = {**before.get("environment", {}), **one.get("environment", {})}
            services[name] = {**before, **one, "environment": told}
    return services


def of_image() -> dict[str, str]:
    return dict(re.findall(rf"\b({ENV_PREFIX}\w+)=(\S+)", DOCKERFILE))


def of_compose(*files: str) -> dict[str, str]:
    """As Compose has it where nobody sets a variable."""
    told = compose(*files)["coordinator"]["environment"]
    return of_image() | {
        name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", str(value)) for name, value in told.items()
    }


def of_unit() -> dict[str, str]:
    text = (UNITS / "agent-coordinator@.service").read_text()
    told = dict(re.findall(rf"^Environment=({ENV_PREFIX}\w+)=(.*)$", text, re.MULTILINE))
    return {name: value.replace("%i", "1") for name, value in told.items()}


DEPLOYMENTS = {
    "image": of_image(),
    "compose": of_compose("compose.yaml"),
    "compose with postgres": of_compose("compose.yaml", "postgres.yaml"),
    "kubernetes": of_image() | manifest("ConfigMap", "coordinator")["data"],
    "systemd": of_unit(),
}


def settings(told: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the service reads where it is told this, with secrets in files of ``folder``."""
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in told.items():
        if name.endswith(FILE):
            held = name.removeprefix(ENV_PREFIX).removesuffix(FILE)
            (folder / held).write_text(CONTENTS[held])
            monkeypatch.setenv(name, str(folder / held))
        else:
            monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_service_takes_what_it_is_told(
    deployment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = settings(DEPLOYMENTS[deployment], tmp_path, monkeypatch)
    assert taken.http_port == Settings().http_port
    assert str(taken.data_dir) == "/var/lib/agent-coordinator"


def paths_asked() -> set[str]:
    (container,) = pod("Deployment", "coordinator")["containers"]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    asked = {container[probe]["httpGet"]["path"] for probe in probes}
    (of_image,) = re.findall(r"r\.urlopen\(.*?\}(/[a-z/]+)", DOCKERFILE)
    return asked | {of_image}


def test_what_probes_ask_is_answered_without_a_credential() -> None:
    answered = {one.path for one in health.router.routes if isinstance(one, Route)}
    assert paths_asked() == {"/health/live", "/health/ready"}
    assert paths_asked() <= answered


def test_a_cluster_asks_at_the_ports_where_the_service_listens() -> None:
    told = manifest("ConfigMap", "coordinator")["data"]
    (container,) = pod("Deployment", "coordinator")["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {
        "http": Settings().http_port,
        "metrics": int(told["COORDINATOR_METRICS_PORT"]),
    }
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    assert {container[probe]["httpGet"]["port"] for probe in probes} == {"http"}
    (forwarded,) = manifest("Service", "coordinator")["spec"]["ports"]
    assert forwarded["targetPort"] == "http"
    let_in = manifest("NetworkPolicy", "coordinator")["spec"]["ingress"]
    assert [port["port"] for rule in let_in for port in rule["ports"]] == list(ports.values())
    annotations = manifest("Deployment", "coordinator")["spec"]["template"]["metadata"]
    assert annotations["annotations"]["prometheus.io/port"] == str(ports["metrics"])


def test_containers_listen_where_they_are_asked() -> None:
    port = str(Settings().http_port)
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [port]
    assert f"'COORDINATOR_HTTP_PORT') or '{port}'" in DOCKERFILE
    assert compose("compose.yaml")["coordinator"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_proxy_asks_where_the_service_listens_and_passes_what_it_takes() -> None:
    site = (DEPLOY / "nginx" / "agent-coordinator.conf").read_text()
    first, second = map(int, re.findall(r"^ +server 127\.0\.0\.1:(\d+) ", site, re.MULTILINE))
    assert (first, second) == (Settings().http_port, Settings().http_port + 1)
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", site)
    assert int(megabytes) * 1024 * 1024 == Settings().max_batch_bytes
    (drained,) = re.findall(r"COORDINATOR_DRAIN_SECONDS=(\d+)", site)
    (unused,) = re.findall(r"keepalive_timeout (\d+)s;", site)
    assert int(unused) < int(drained)


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "coordinator"), ("StatefulSet", "gpu-agents")]
)
def test_each_secret_of_a_pod_is_made_by_somebody_and_is_where_it_is_read(
    kind: str, name: str
) -> None:
    spec = pod(kind, name)
    (container,) = spec["containers"]
    page = (ROOT / "docs" / "operations" / "kubernetes.md").read_text()
    made = set(re.findall(r"kubectl create secret generic (\S+)", page))
    made.add(f"{manifest('RabbitmqCluster', 'broker')['metadata']['name']}-default-user")
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert {one["secret"]["secretName"] for one in volumes.values() if "secret" in one} <= made
    assert {one["name"] for one in container["volumeMounts"]} == set(volumes)
    told = (
        {one["name"]: one.get("value", "") for one in container["env"]}
        if ("env" in container)
        else manifest("ConfigMap", "coordinator")["data"]
    )
    files = {value for variable, value in told.items() if variable.endswith(FILE)}
    assert files
    assert files == {
        path
        for mount in container["volumeMounts"]
        if "secret" in volumes[mount["name"]]
        for path in mounted(mount, volumes[mount["name"]]["secret"])
    }


def mounted(mount: Object, secret: Object) -> Iterator[str]:
    if "subPathExpr" in mount:
        yield mount["mountPath"]
    for item in secret.get("items", []):
        yield f"{mount['mountPath']}/{item['path']}"


def test_a_container_reads_the_secrets_that_it_is_given() -> None:
    services = compose("compose.yaml", "postgres.yaml")
    for name, service in services.items():
        read = {
            value.removeprefix("/run/secrets/")
            for variable, value in service["environment"].items()
            if variable.endswith(FILE)
        }
        assert read == set(service.get("secrets", [])), name


def commands_of_the_service() -> set[str]:
    """What is started, and what comments tell to type."""
    (started,) = re.findall(r"^CMD \[(.*)\]$", DOCKERFILE, re.MULTILINE)
    (container,) = pod("Deployment", "coordinator")["containers"]
    (unit,) = re.findall(
        r"^ExecStart=\S+/bin/(.*)$",
        (UNITS / "agent-coordinator@.service").read_text(),
        re.MULTILINE,
    )
    typed = {
        line
        for path in DEPLOY.rglob("*.yaml")
        for line in re.findall(r"^# +(coordinator [a-z].*)$", path.read_text(), re.MULTILINE)
    }
    return {" ".join(yaml.safe_load(f"[{started}]")), " ".join(container["args"]), unit} | typed


def test_each_command_is_one_of_the_command_line() -> None:
    commands = commands_of_the_service()
    assert len(commands) == 2
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "coordinator"
        argument_parser().parse_args(arguments)


def test_the_options_of_agents_are_those_that_they_have(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (container,) = pod("StatefulSet", "gpu-agents")["containers"]
    (unit,) = re.findall(
        r"^ExecStart=\S+/bin/(.*)$",
        (UNITS / "agent-coordinator-agent@.service").read_text(),
        re.MULTILINE,
    )
    for command in (container["args"], unit.split()):
        assert command[:3] == ["python", "-m", "consumers"]
        # Its file is not there, which is told only where the options are right.
        assert consumers_main(["nowhere.py", *command[4:]]) == 1
        assert "there is no file nowhere.py" in capsys.readouterr().err
