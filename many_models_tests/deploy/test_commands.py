"""Every command and every variable that a manifest names exists in what it starts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import many_models
from many_models import settings
from many_models_tests.deploy.manifests import (
    DEPLOY,
    commands,
    objects,
    pods,
    read,
    services,
)

OURS = [(owner, words) for owner, words in commands() if words]


def _dagster() -> Any:
    from dagster._cli import create_dagster_cli

    return create_dagster_cli()  # type: ignore[no-untyped-call]


def _daemon() -> Any:
    from dagster._daemon.cli import create_dagster_daemon_cli

    return create_dagster_daemon_cli()


def _webserver() -> Any:
    from dagster_webserver.cli import dagster_webserver

    return dagster_webserver


def _mlflow() -> Any:
    from mlflow.cli import cli

    return cli


def _many_models() -> Any:
    from many_models.cli import main

    return main


PROGRAMS: dict[str, Callable[[], Any]] = {
    "dagster": _dagster,
    "dagster-daemon": _daemon,
    "dagster-webserver": _webserver,
    "mlflow": _mlflow,
    "many-models": _many_models,
}
ELSEWHERE = {"python", "pg_isready"}


@pytest.mark.parametrize(("owner", "words"), OURS, ids=lambda given: str(given)[:60])
def test_a_command_and_its_options_exist(owner: str, words: list[str]) -> None:
    program, *rest = words
    if program in ELSEWHERE:
        return
    command = PROGRAMS[program]()
    while hasattr(command, "commands"):
        assert rest[0] in command.commands, f"{owner}: {program} has no {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(program, rest)  # raises where it does not know an option or a value


def test_every_service_is_looked_at() -> None:
    owners = {owner for owner, _ in OURS}
    assert {f"compose/{name}" for name in services()} <= owners
    assert {f"kubernetes/{name}" for name in pods()} - {"kubernetes/postgres"} <= owners


@cache
def _names_in(folder: Path) -> set[str]:
    pattern = re.compile(r"\b(?:MANY_MODELS|MLFLOW)_[A-Z_]+\b")
    return {name for file in folder.rglob("*.py") for name in pattern.findall(file.read_text())}


def _variables() -> set[str]:
    """Names of all variables that are set for our programs."""
    named = {name for s in services().values() for name in s["environment"]}
    for pod in pods().values():
        named |= {v["name"] for c in pod["containers"] for v in c.get("env", [])}
    named |= _settings().keys()
    described = (DEPLOY / "README.md").read_text()
    return named | set(re.findall(r"(?:MANY_MODELS|MLFLOW|DAGSTER)_[A-Z_]+", described))


def _settings() -> dict[str, str]:
    """The ConfigMap of what is no secret."""
    found = next(o for o in objects() if o["metadata"]["name"] == "many-models-settings")
    mapped: dict[str, str] = found["data"]
    return mapped


def test_every_variable_of_ours_is_one_that_the_package_reads() -> None:
    named = {name for name in _variables() if name.startswith("MANY_MODELS_")}
    assert named - _names_in(Path(many_models.__file__).parent) == set()


def test_every_variable_of_mlflow_is_one_that_it_reads() -> None:
    import mlflow

    named = {name for name in _variables() if name.startswith("MLFLOW_")}
    folder = Path(mlflow.__file__).parent
    known = _names_in(folder / "server") | _names_in(folder / "cli")
    known |= set(re.findall("MLFLOW_[A-Z_]+", (folder / "environment_variables.py").read_text()))
    assert named - known == set()


def test_dagster_is_given_the_variables_that_its_settings_name() -> None:
    text = (DEPLOY / "dagster.yaml").read_text()
    asked = set(re.findall(r"\{env: (\w+)\}", text))
    for name in ("setup", "code", "webserver", "daemon"):
        given = {n for n in services()[name]["environment"] if n.startswith("DAGSTER_")}
        assert given == asked, name


def test_a_run_is_told_where_everything_is() -> None:
    """Nothing that matters is left to a default below the home folder, which is not kept."""
    names = {str(value) for value in vars(settings).values()}
    places = {name for name in names if name.startswith("MANY_MODELS_")}
    assert places <= services()["code"]["environment"].keys()
    secret = set(re.findall(r"MANY_MODELS_[A-Z_]+", (DEPLOY / "README.md").read_text()))
    assert places <= _settings().keys() | secret


def test_the_workspace_leads_to_the_code_location() -> None:
    server = read("workspace.yaml")["load_from"][0]["grpc_server"]
    assert server["host"] in services()
    assert str(server["port"]) in services()[server["host"]]["command"]
