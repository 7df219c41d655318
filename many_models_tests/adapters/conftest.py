"""MLflow around the registries of the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.conftest import copy_registry


@pytest.fixture(params=["bulk", "client"])
def writer(request: pytest.FixtureRequest) -> str:
    """Every test of a registry runs over both writers."""
    return str(request.param)


@pytest.fixture
def make_registry(
    tmp_path: Path, empty_registry_database: Path, writer: str
) -> Callable[[str], MlflowRegistry]:
    """Function that makes an empty registry of the name given, in a folder of its own."""
    return partial(copy_registry, empty_registry_database, tmp_path, allow_bulk=writer == "bulk")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for ``sys.path`` that says what an installed package says: its entry points.

    So the tests see what MLflow sees of an installation, whether or not the package is installed
    in the environment that they run in.
    """
    folder = tmp_path_factory.mktemp("installed")
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
    info = folder / "many_models-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: many-models\nVersion: 0.1.0\n")
    lines = [
        line
        for group, names in project["project"]["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def entry_points(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets MLflow find our entry points, as it does in an installation when it is imported."""
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

    monkeypatch.syspath_prepend(str(installed))
    _artifact_repository_registry.register_entrypoints()  # type: ignore[no-untyped-call]


@pytest.fixture
def stock_mlflow(registry: MlflowRegistry, entry_points: None) -> Iterator[None]:
    """Points MLflow's own functions at ``registry``; our entry points are installed."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    yield
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # None means unset


@pytest.fixture
def registry_server(
    tmp_path: Path, empty_registry_database: Path, installed: Path
) -> Iterator[str]:
    """URL of an MLflow server over an empty registry; starting one takes a while."""
    (tmp_path / "server.db").write_bytes(empty_registry_database.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "served")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=environment
        )
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
