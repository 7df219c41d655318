"""Fixtures that more than one test module needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import adbc_driver_postgresql.dbapi
import pytest


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
