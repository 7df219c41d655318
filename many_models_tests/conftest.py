"""Fixtures that more than one test module needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import adbc_driver_postgresql.dbapi
import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.spark.session import start_session

LONGEST_MODULE = "test_run.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: several processes share the modules, and it would be left over."""
    items.sort(key=lambda item: item.path.name != LONGEST_MODULE)


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL of this test run alone: no port, a socket in its own folder."""

    binaries: Path
    folder: Path
    user: str | None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        with (
            closing(
                adbc_driver_postgresql.dbapi.connect(self.url("postgres"), autocommit=True)
            ) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(statement)

    def run(self, program: str, *arguments: str) -> None:
        # Output goes to a file: the server would keep a pipe open after pg_ctl has ended.
        with (self.folder / "output").open("a+") as output:
            done = subprocess.run(
                [self.binaries / program, "-D", str(self.folder / "data"), *arguments],
                user=self.user,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed:\n{output.read()}")


@contextmanager
def running_postgres(*, fsync: bool) -> Iterator[PostgresServer]:
    """Starts the PostgreSQL that the package ``pgserver`` contains; stops it in the end.

    The package's own ``get_server`` is not used: as root it adds a user to the machine and makes
    every folder above the data and the package readable to all. Root runs a copy as ``nobody``.
    """
    spec = importlib.util.find_spec("pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package pgserver is needed: install the development extra")
    package = Path(spec.origin).parent
    folder = Path(tempfile.mkdtemp(prefix="many-models-postgres-", dir="/tmp"))
    try:
        root = os.geteuid() == 0
        if root:
            shutil.copytree(package, folder / package.name)
            shutil.copytree(package.with_name("pgserver.libs"), folder / "pgserver.libs")
            package = folder / package.name
            subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
        server = PostgresServer(package / "pginstall" / "bin", folder, "nobody" if root else None)
        server.run("initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "-U", "postgres")
        options = f"-c listen_addresses='' -c fsync={'on' if fsync else 'off'} -k {folder}"
        server.run("pg_ctl", "-w", "-o", options, "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, which every setting points into; gone from the environment after."""
    environ = {settings.HOME: str(tmp_path / "home")}
    settings.fill_environment(environ)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_postgres(fsync=False) as server:
        yield server


_numbers = count(1)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database, dropped after the test whoever is still connected."""
    database = f"test_{next(_numbers)}"
    postgres_server.execute(f"CREATE DATABASE {database}")
    yield postgres_server.url(database)
    postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="session")
def empty_registry_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database file with MLflow's tables and nothing in them."""
    folder = tmp_path_factory.mktemp("registry")
    MlflowRegistry(f"sqlite:///{folder}/made.db", str(folder), "unused").champions("none")
    with (
        closing(sqlite3.connect(folder / "made.db")) as made,
        closing(sqlite3.connect(folder / "empty.db")) as empty,
    ):
        made.backup(empty)
    return folder / "empty.db"


def copy_registry(
    template: Path, parent: Path, name: str, *, allow_bulk: bool = True
) -> MlflowRegistry:
    """An empty registry in a folder of its own; MLflow's slow migrations ran on the template."""
    folder = parent / name
    folder.mkdir()
    (folder / "registry.db").write_bytes(template.read_bytes())
    uri, artifacts = f"sqlite:///{folder}/registry.db", str(folder / "artifacts")
    return MlflowRegistry(uri, artifacts, name, allow_bulk=allow_bulk)


@pytest.fixture
def make_registry(tmp_path: Path, empty_registry_database: Path) -> Callable[[str], MlflowRegistry]:
    """Function that makes an empty registry of the name given, in a folder of its own."""

    return partial(copy_registry, empty_registry_database, tmp_path)


@pytest.fixture
def registry(make_registry: Callable[[str], MlflowRegistry]) -> MlflowRegistry:
    return make_registry("training")


@pytest.fixture
def production(make_registry: Callable[[str], MlflowRegistry]) -> MlflowRegistry:
    return make_registry("production")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The one Spark session of this test run: a process has only one, and it takes a while."""
    session = start_session("local[2]", {"spark.sql.shuffle.partitions": "2"})
    yield session
    session.stop()
