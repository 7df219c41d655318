"""The command that opens a registry in MLflow; MLflow itself is not started."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from many_models import settings
from many_models.cli import main


@pytest.fixture
def started(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Command lines that would take the place of this process."""
    found: list[list[str]] = []
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setattr(os, "execv", lambda _, command: found.append(command))
    return found


def test_a_database_is_opened_in_mlflow_and_its_url_is_in_no_command_line(
    started: list[list[str]], home: Path
) -> None:
    result = CliRunner().invoke(main, ["mlflow", "training", "--port", "5001"])
    assert "training at http://127.0.0.1:5001/#/models" in result.output
    expected = [sys.executable, "-m", "mlflow", "ui", "--port", "5001", "--workers", "1"]
    assert started == [expected]
    uri = f"sqlite:///{home}/registry/training/mlflow.db"
    assert os.environ["MLFLOW_BACKEND_STORE_URI"] == uri


def test_a_server_is_named(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.PRODUCTION_READER, "http://host:5000")
    result = CliRunner().invoke(main, ["mlflow"])
    assert result.output == "It is a server already: http://host:5000/#/models\n"
    assert started == []
