"""MLflow around the registries of the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from urllib.request import urlopen

import pytest

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.conftest import copy_registry


@pytest.fixture(params=["bulk", "client"])
def writer(request: pytest.FixtureRequest) -> str:
    """Every test of a registry runs over both writers."""
    return str(request.param)


@pytest.fixture
def make_registry(
    tmp_path: Path, empty_registry_database: Path, writer: str, request: pytest.FixtureRequest
) -> Callable[[str], MlflowRegistry]:
    """Function that makes an empty registry of the name given, in a folder of its own."""
    if writer == "server":
        server: RunningServer = request.getfixturevalue("app_server")
        server.clear()
        return lambda name: MlflowRegistry(server.url, str(tmp_path / name / "artifacts"), name)
    return partial(copy_registry, empty_registry_database, tmp_path, allow_bulk=writer == "bulk")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for ``sys.path`` that says what an installed package says: its entry points.

    So the tests see what MLflow sees of an installation, whether or not the package is installed
    in the environment that they run in.
    """
    return pretend_installation(tmp_path_factory.mktemp("installed"))


def pretend_installation(folder: Path) -> Path:
    """Write into ``folder`` what an installation of this package would tell of it; returns it."""
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


@dataclass(frozen=True)
class RunningServer:
    """An MLflow server; ``database`` is the file behind it, ``artifacts`` its destination."""

    url: str
    database: Path
    artifacts: Path
    empty: Path

    @property
    def database_uri(self) -> str:
        return f"sqlite:///{self.database}"

    def get(self, path: str) -> bytes:
        """Body of the answer to a plain GET."""
        with urlopen(f"{self.url}{path}") as response:
            return bytes(response.read())

    def clear(self) -> None:
        """Let the registry be an empty one again, under the server's open connections."""
        with (
            closing(sqlite3.connect(self.empty)) as empty,
            closing(sqlite3.connect(self.database)) as d,
        ):
            empty.backup(d)
        shutil.rmtree(self.artifacts, ignore_errors=True)


@contextmanager
def running_server(
    folder: Path,
    empty: Path,
    installed: Path,
    *options: str,
    workers: int = 1,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunningServer]:
    """An MLflow server of its own over an empty registry; starting one takes a while."""
    folder.mkdir(exist_ok=True)
    database, log_path = folder / "server.db", folder / "server.log"
    database.write_bytes(empty.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port)]
    command += ["--workers", str(workers)]
    command += ["--backend-store-uri", f"sqlite:///{database}", *options]
    path = os.pathsep.join([str(installed), *sys.path])
    no_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # starts in half the time
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
            env={**os.environ, **no_jobs, "PYTHONPATH": path, **environment},
        )
    try:
        _wait_for(port, server, log_path)
        yield RunningServer(f"http://127.0.0.1:{port}", database, folder / "served", empty)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


@pytest.fixture(scope="session")
def stock_server(
    tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path, installed: Path
) -> Iterator[RunningServer]:
    """MLflow's own server, but for its destination: there it finds packs, too."""
    folder = tmp_path_factory.mktemp("stock server")
    destination = f"pack+{(folder / 'served').as_uri()}"
    with running_server(
        folder, empty_registry_database, installed, "--artifacts-destination", destination
    ) as server:
        yield server


@pytest.fixture(scope="session")
def app_server(
    tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path, installed: Path
) -> Iterator[RunningServer]:
    """A server with our app, over an empty registry; may write into the folders of all tests."""
    folder = tmp_path_factory.mktemp("app server")
    options = ["--app-name", "many-models", "--artifacts-destination", str(folder / "served")]
    options += ["--default-artifact-root", str(tmp_path_factory.getbasetemp())]
    with running_server(folder, empty_registry_database, installed, *options) as server:
        yield server


@pytest.fixture
def registry_server(stock_server: RunningServer) -> str:
    """URL of an MLflow server over an empty registry."""
    stock_server.clear()
    return stock_server.url


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
