"""What stands in ``deploy/``, read for the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted(
    file
    for folder in ("base", "trial")
    for file in (DEPLOY / "kubernetes" / folder).glob("*.yaml")
    if file.name != "kustomization.yaml"
)
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yaml"


def read(path: str) -> Any:
    """A YAML file of ``deploy/`` with one document."""
    return yaml.safe_load((DEPLOY / path).read_text())


def services() -> dict[str, dict[str, Any]]:
    """The services of ``compose.yaml``."""
    found: dict[str, dict[str, Any]] = read("compose.yaml")["services"]
    return found


def objects() -> list[dict[str, Any]]:
    """Every Kubernetes object of the manifests."""
    return [o for file in KUBERNETES for o in yaml.safe_load_all(file.read_text()) if o]


def pods() -> dict[str, dict[str, Any]]:
    """The pods' specifications, by the name of what starts them."""
    return {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects() if _starts(o)}


def _starts(found: dict[str, Any]) -> bool:
    return found["kind"] in ("Deployment", "Job", "StatefulSet")


def placeholders(text: str) -> set[str]:
    """Variables that compose fills in: ``${NAME}``, with what may follow the name."""
    return set(re.findall(r"(?<!\$)\$\{(\w+)", text))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours that a manifest starts, and whose it is; paths are this repository's.

    Health checks and the lines of a shell's script are commands, too.
    """
    for name, service in services().items():
        words = service.get("command", [])
        lines = [line.split() for line in words[2].splitlines()] if words[:1] == ["sh"] else [words]
        test = service.get("healthcheck", {}).get("test", [])
        for line in [*lines, test[1:]]:
            yield f"compose/{name}", [_local(word) for word in line]
    for name, pod in pods().items():
        for container in pod["containers"]:
            yield f"kubernetes/{name}", [_local(word) for word in container.get("args", [])]
    for deployment in read("kubernetes/dagster-values.yaml")["dagster-user-deployments"][
        "deployments"
    ]:
        yield "values/code", ["dagster", "api", "grpc", *deployment["dagsterApiGrpcArgs"]]


def _local(word: str) -> str:
    word = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word)
    return word.replace("/use_cases/", f"{DEPLOY}/use_cases/").replace("/opt/dagster", f"{DEPLOY}")
