from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from many_models.cli import main
from many_models.results_process import PASSWORD, SETTINGS, ResultsSettings, build_app, make_app
from many_models_tests.adapters.serving.running import running

Started = list[tuple[Any, ...]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, home: Path) -> Started:
    """What would have been started, instead of starting it."""
    found: Started = []
    monkeypatch.setattr(
        "many_models.commands.results._run", lambda *arguments: found.append(arguments)
    )
    monkeypatch.delenv(PASSWORD, raising=False)
    monkeypatch.setenv(SETTINGS, "")
    return found


def results(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["results", *arguments, "--port", "0"])


def test_on_loopback_everybody_may_read(started: Started) -> None:
    assert results("grocery").exit_code == 0
    ((host, _, workers),) = started
    assert (host, workers) == ("127.0.0.1", 1)
    with running(make_app()) as client:
        assert client.get("/grocery").status == 200
        assert client.get("/", {"Host": "elsewhere.example"}).status == 400


def test_elsewhere_a_password_is_needed_or_a_word_that_none_is(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = results("--host", "0.0.0.0")
    assert refused.exit_code == 2
    assert "MANY_MODELS_RESULTS_PASSWORD" in refused.output
    assert started == []
    assert results("--host", "0.0.0.0", "--no-auth").exit_code == 0
    with running(make_app()) as client:
        assert client.get("/", {"Host": "results.example"}).status == 200
    monkeypatch.setenv(PASSWORD, "secret")
    assert results("--host", "0.0.0.0").exit_code == 0
    assert "secret" not in os.environ[SETTINGS]
    with running(make_app()) as client:
        assert client.get("/").status == 401


def test_a_port_that_is_taken_is_told_of(started: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = CliRunner().invoke(main, ["results", "--port", str(port)])
    assert result.exit_code == 2
    assert "cannot be used" in result.output


def test_a_worker_that_others_reach_does_not_start_without_a_password(home: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != PASSWORD}
    with pytest.raises(ValueError, match=PASSWORD):
        build_app(ResultsSettings(), environ)
