from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # stubs are not kept up
import pytest
from click.testing import CliRunner, Result

from many_models.cli import main
from many_models.serving_process import API_KEYS, SETTINGS, ServingSettings
from many_models_tests.adapters.serving.running import Client

Started = list[tuple[Any, ...]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, home: Path) -> Started:
    """What would have been started, instead of starting it."""
    found: Started = []
    monkeypatch.setattr(
        "many_models.commands.serve._run", lambda *arguments: found.append(arguments)
    )
    monkeypatch.setattr("many_models.commands.serve.require_free", lambda *_: None)
    monkeypatch.delenv(API_KEYS, raising=False)
    monkeypatch.setenv(SETTINGS, "")
    return found


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["serve", "grocery", *arguments])


def test_workers_share_the_memory_and_get_what_the_command_line_says(
    started: Started, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(API_KEYS, "secret")
    keys = tmp_path / "keys"
    keys.write_text("department=DELI,store_id=17\n\n")
    result = serve(
        "--workers", "4", "--cache-mb", "100", "--unknown", "refuse", "--max-rows", "5",
        "--host", "0.0.0.0", "--port", "9000", "--pin", str(keys),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert started == [("0.0.0.0", 9000, 4, 10.0)]
    chosen = ServingSettings.model_validate_json(os.environ[SETTINGS])
    assert (chosen.cache_mb, chosen.unknown, chosen.rows_max) == (25, "refuse", 5)
    assert chosen.warm == chosen.pinned == ("store_id=17,department=DELI",)
    assert Path(chosen.use_case).name == "grocery.yaml"
    assert not chosen.open_to_all
    assert "secret" not in os.environ[SETTINGS]


@pytest.mark.parametrize("key", ["", " , "])
def test_a_key_is_needed_unless_one_says_that_none_is(
    started: Started, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(API_KEYS, key)
    result = serve()
    assert (result.exit_code, started) == (2, [])
    assert API_KEYS in result.output
    assert serve("--no-auth").exit_code == 0
    assert ServingSettings.model_validate_json(os.environ[SETTINGS]).open_to_all


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.com"])
def test_only_loopback_is_open_to_all(started: Started, host: str) -> None:
    result = serve("--no-auth", "--host", host)
    assert (result.exit_code, started) == (2, [])
    assert "loopback" in result.output


@pytest.mark.parametrize("host", ["localhost", "::1", "127.0.0.2"])
def test_loopback_has_many_names(started: Started, host: str) -> None:
    assert serve("--no-auth", "--host", host).exit_code == 0


def test_wrong_limits_are_refused(started: Started) -> None:
    result = serve("--no-auth", "--cache-mb", "0")
    assert (result.exit_code, started) == (2, [])


def test_a_port_that_is_taken_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = serve("--no-auth", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert "cannot be used" in result.output


@pytest.mark.mlflow
def test_a_worker_that_dies_is_replaced_and_all_end_when_told_to(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = "import sys; from many_models.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "serve", "grocery", "--no-auth"]
    process = subprocess.Popen([*command, "--port", str(port), "--workers", "2"])
    try:
        client = Client(port)
        _wait_until(lambda: _answers(client) is not None)
        victim, before = _answers(client), _children(process)
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        _wait_until(lambda: _answers(client) not in (None, victim))
        _wait_until(lambda: _children(process) - before)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert _answers(client) is None
    finally:
        if process.poll() is None:
            for child in _children(process):
                os.kill(child, signal.SIGKILL)
            process.kill()
        process.wait()


def _answers(client: Client) -> int | None:
    """The process that answers, by what its metrics say."""
    try:
        text = client.get("/metrics").body.decode()
    except OSError:
        return None
    return int(text.rsplit('worker="', 1)[1].split('"')[0])


def _children(process: subprocess.Popen[bytes]) -> set[int]:
    return {child.pid for child in psutil.Process(process.pid).children(recursive=True)}


def _wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
