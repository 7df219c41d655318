"""MLflow around the registries of the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from many_models.adapters.mlflow_registry import MlflowRegistry


@pytest.fixture
def stock_mlflow(registry: MlflowRegistry) -> Iterator[None]:
    """Points MLflow's own functions at ``registry``."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    yield
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # None means unset


@pytest.fixture
def registry_server(tmp_path: Path, empty_registry_database: Path) -> Iterator[str]:
    """URL of an MLflow server over an empty registry; starting one takes a while."""
    (tmp_path / "server.db").write_bytes(empty_registry_database.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "served")]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(port, server, tmp_path / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
