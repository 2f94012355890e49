"""The manifests of `deploy/kubernetes` fit the schemas of the Kubernetes API, and fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FOLDER = DEPLOY / "kubernetes"

OLDEST, NEWEST = "1.28", "1.37"
OF_OTHERS = {"RabbitmqCluster", "ScaledObject", "Kustomization"}
"""Kinds that operators and kustomize bring: the API server alone has no schema of them."""


def manifests() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, document)
        for path in sorted(FOLDER.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]


def the(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        one for _, one in manifests() if one["kind"] == kind and one["metadata"]["name"] == name
    )
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(one, id=f"{file}: {one['kind']}")
        for file, one in manifests()
        if one["kind"] not in OF_OTHERS
    ],
)
def test_a_manifest_fits_the_schema_of_its_kind(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_a_manifest_that_does_not_fit_is_told() -> None:
    wrong = the("Deployment", "coordinator")
    wrong["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_each_manifest_is_applied() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "coordinator"), ("StatefulSet", "gpu-agents")]
)
def test_no_container_has_more_rights_than_it_needs(kind: str, name: str) -> None:
    spec = the(kind, name)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]


def test_the_user_of_the_image_is_that_of_the_manifests() -> None:
    image = (DEPLOY / "docker" / "Dockerfile").read_text()
    user = the("Deployment", "coordinator")["spec"]["template"]["spec"]["securityContext"][
        "runAsUser"
    ]
    assert f"--uid {user}" in image


def test_a_coordinator_has_the_time_to_drain() -> None:
    told = the("ConfigMap", "coordinator")["data"]
    spec = the("Deployment", "coordinator")["spec"]["template"]["spec"]
    probe = spec["containers"][0]["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"]
    drained = float(told["COORDINATOR_DRAIN_SECONDS"])
    assert noticed < drained
    assert drained + 15 < spec["terminationGracePeriodSeconds"]


def test_no_update_takes_a_coordinator_away_before_another_is_ready() -> None:
    deployment = the("Deployment", "coordinator")["spec"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert the("PodDisruptionBudget", "coordinator")["spec"]["minAvailable"] >= 1
    labels = deployment["template"]["metadata"]["labels"]
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
        spec = the(kind, "coordinator")["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        assert selector.get("matchLabels", selector) == labels


def test_agents_are_scaled_by_the_measure_that_is_tried_against_prometheus() -> None:
    tried = yaml.safe_load((DEPLOY / "observability" / "keda-scaledobject.yaml").read_text())
    assert the("ScaledObject", "gpu-agents")["spec"]["triggers"] == tried["spec"]["triggers"]


def test_the_brokers_settings_are_those_of_the_configuration_that_explains_them() -> None:
    explained = set(settings_of((DEPLOY / "rabbitmq" / "rabbitmq.conf").read_text()))
    told = the("RabbitmqCluster", "broker")["spec"]["rabbitmq"]["additionalConfig"]
    assert explained <= set(settings_of(told))


def settings_of(configuration: str) -> list[str]:
    lines = (line.strip() for line in configuration.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
