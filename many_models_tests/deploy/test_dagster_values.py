"""The chart's values say what ``dagster.yaml`` says, in words that Dagster and Kubernetes know.

The chart's own schema is not here: it stands in the chart, and ``helm`` applies it.
"""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
from dagster._config import process_config, resolve_to_config_type
from dagster_k8s import K8sRunLauncher

from many_models_tests.deploy.manifests import DEPLOY, read
from many_models_tests.deploy.test_schemas import KUBERNETES_VERSION

VALUES: dict[str, Any] = read("kubernetes/dagster-values.yaml")
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]


def snake_case(values: Any) -> Any:
    """``maxRetries`` as ``max_retries``, as the chart translates; but not Kubernetes' own words."""
    if isinstance(values, dict):
        kept = ("applyLimitPerUniqueValue",)
        return {
            k if k in kept else re.sub("([A-Z])", r"_\1", k).lower(): snake_case(v)
            for k, v in values.items()
        }
    return [snake_case(v) for v in values] if isinstance(values, list) else values


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def test_limits_retries_and_what_is_kept_are_the_same_with_and_without_kubernetes() -> None:
    instance, daemon = read("dagster.yaml"), VALUES["dagsterDaemon"]
    assert snake_case(without(VALUES["concurrency"], "enabled")) == instance["concurrency"]
    assert snake_case(daemon["runRetries"]) == instance["run_retries"]
    monitoring = snake_case(daemon["runMonitoring"])
    # Pods are watched, so that none needs a longest time to be found dead.
    same = monitoring.items() & instance["run_monitoring"].items()
    assert len(same) == len(instance["run_monitoring"]) - 1
    assert snake_case(without(VALUES["retention"], "enabled")) == instance["retention"]
    assert snake_case(VALUES["pythonLogs"]) == instance["python_logs"]
    assert VALUES["telemetry"] == instance["telemetry"]
    scheme = instance["storage"]["postgres"]["postgres_db"]["scheme"]
    assert VALUES["postgresql"]["postgresqlScheme"] == scheme


def test_the_run_launcher_takes_what_it_is_given() -> None:
    names = ("env_config_maps", "env_secrets")
    given = {
        **{name: snake_case(LAUNCHER)[name] for name in ("image_pull_policy",)},
        **{name: [entry["name"] for entry in snake_case(LAUNCHER)[name]] for name in names},
        "volumes": LAUNCHER["volumes"],
        "volume_mounts": LAUNCHER["volumeMounts"],
        "resources": LAUNCHER["resources"],
        "security_context": LAUNCHER["securityContext"],
        "run_k8s_config": {
            re.sub("([A-Z])", r"_\1", name).lower(): value
            for name, value in LAUNCHER["runK8sConfig"].items()
        },
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "dagster_home": "/opt/dagster/dagster_home",
    }
    assert len(given) == len(LAUNCHER) + 4  # every value is looked at
    schema = K8sRunLauncher.config_type()  # type: ignore[no-untyped-call]
    result = process_config(resolve_to_config_type(schema), given)
    assert result.success, result.errors


@pytest.mark.parametrize("name", ["dagsterWebserver", "dagsterDaemon", "code", "runs"])
def test_pods_of_the_chart_follow_the_schema_of_kubernetes(name: str) -> None:
    code = VALUES["dagster-user-deployments"]["deployments"][0]
    found = {"code": code, "runs": LAUNCHER}.get(name) or VALUES[name]
    pod = LAUNCHER["runK8sConfig"]["podSpecConfig"]["securityContext"]
    container = {
        "name": name,
        "image": "many-models",
        "securityContext": found["securityContext"],
        "resources": found["resources"],
        "volumeMounts": found["volumeMounts"],
    }
    spec = {
        "securityContext": pod if name == "runs" else found["podSecurityContext"],
        "volumes": found["volumes"],
        "containers": [container],
    }
    made = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "made"}, "spec": spec}
    kubernetes_validate.validate(made, KUBERNETES_VERSION, strict=True)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert spec["securityContext"]["runAsNonRoot"]


def test_runs_get_the_settings_and_the_disks_of_the_code_location() -> None:
    code = VALUES["dagster-user-deployments"]["deployments"][0]
    shared = ("envConfigMaps", "envSecrets", "volumes", "volumeMounts", "securityContext")
    assert {name: code[name] for name in shared} == {name: LAUNCHER[name] for name in shared}


def test_the_chart_is_of_the_version_that_is_installed() -> None:
    pinned = re.search("^dagster==(.*)$", (DEPLOY.parent / "constraints.txt").read_text(), re.M)
    text = (DEPLOY / "kubernetes" / "dagster-values.yaml").read_text()
    assert pinned and f"--version {pinned[1]} " in text
