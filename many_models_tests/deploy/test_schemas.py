"""The files of ``deploy/`` are what those who read them expect."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from many_models.core.use_case_file import load_use_case
from many_models_tests.deploy.manifests import DEPLOY, KUBERNETES, WORKFLOW, objects, pods, read

KUBERNETES_VERSION = "1.31"


@pytest.mark.parametrize(
    ("schema", "file"),
    [("compose-spec", DEPLOY / "compose.yaml"), ("github-workflows", WORKFLOW)],
    ids=["compose", "workflow"],
)
def test_a_file_follows_its_published_schema(schema: str, file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    found = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.name)
def test_kubernetes_objects_follow_its_schemas_with_no_field_too_many(file: Path) -> None:
    for found in yaml.safe_load_all(file.read_text()):
        kubernetes_validate.validate(found, KUBERNETES_VERSION, strict=True)


@pytest.mark.parametrize("name", ["base", "trial"])
def test_kustomize_finds_every_file_and_leaves_none_out(name: str) -> None:
    folder = DEPLOY / "kubernetes" / name
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert all((folder / entry).exists() for entry in listed)
    present = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert present == {entry for entry in listed if entry.endswith(".yaml")}


def test_the_use_case_is_valid_and_the_same_in_both_places() -> None:
    file = DEPLOY / "use_cases" / "sales.yaml"
    assert load_use_case(file).name == "sales"
    mapped = next(o["data"] for o in objects() if o["metadata"]["name"] == "use-cases")
    assert mapped == {"sales.yaml": file.read_text()}


def test_every_pod_has_no_more_rights_than_it_needs() -> None:
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name
            if name != "setup":
                assert {"livenessProbe", "readinessProbe"} <= container.keys(), name


def test_what_selects_pods_selects_some() -> None:
    labels = [
        o["spec"]["template"]["metadata"]["labels"]
        for o in objects()
        if "template" in o.get("spec", {})
    ]
    selectors = [
        o["spec"]["selector"].get("matchLabels", o["spec"]["selector"])
        for o in objects()
        if o["kind"] in ("Service", "Deployment", "StatefulSet", "PodDisruptionBudget")
    ]
    assert all(any(s.items() <= found.items() for found in labels) for s in selectors)
    target = next(o for o in objects() if o["kind"] == "HorizontalPodAutoscaler")
    assert target["spec"]["scaleTargetRef"]["name"] in pods()


def test_every_mount_has_its_volume_and_every_claim_is_made() -> None:
    claims = {o["metadata"]["name"] for o in objects() if o["kind"] == "PersistentVolumeClaim"}
    values = read("kubernetes/dagster-values.yaml")
    code = values["dagster-user-deployments"]["deployments"][0]
    for pod in [*pods().values(), {"containers": [code], "volumes": code["volumes"]}]:
        volumes = {volume["name"] for volume in pod["volumes"]} | {"data"}
        mounts = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounts <= volumes
        claimed = [v.get("persistentVolumeClaim") for v in pod["volumes"]]
        assert {claim["claimName"] for claim in claimed if claim} <= claims


def test_actions_are_pinned_to_commits_and_jobs_get_few_rights() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    used = re.findall(r"uses: (\S+)( # v[\d.]+)?", WORKFLOW.read_text())
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) and tag for action, tag in used)
    assert workflow["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions", {}) for name, job in workflow["jobs"].items()}
    writing = {name for name, given in rights.items() if "write" in given.values()}
    assert writing == {"publish-package", "publish-image"}
    assert all(workflow["jobs"][name]["if"] == "github.ref_type == 'tag'" for name in writing)
    assert all(set(workflow["jobs"][n]["needs"]) == {"test", "package", "image"} for n in writing)
