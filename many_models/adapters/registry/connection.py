"""Reaching an MLflow store: quietly, and with an early, clear answer when it is not there.

Belongs here: whatever must happen before and around a ``MlflowClient``. What is asked of the client
stands in the registry and its writer.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from many_models.adapters.registry.model_artifact import local_path
from many_models.core.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_CONNECT_SECONDS = 5.0
_tracking_uri_lock = threading.Lock()


def silence_mlflow() -> None:
    """Turn off MLflow's telemetry, and progress that it would report for every single model.

    To be called before MLflow is imported: its telemetry starts with the import. What is set in
    the environment already stays as it is.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.store.model_registry.abstract_store"):
        logging.getLogger(name).setLevel(logging.WARNING)


def with_driver(uri: str) -> str:
    """``uri`` with the PostgreSQL driver that is installed, where it names none.

    SQLAlchemy's own choice is psycopg, whether or not it is installed.
    """
    if find_spec("psycopg") is not None:
        return uri
    return re.sub("^postgres(ql)?://", "postgresql+psycopg2://", uri)


def open_client(uri: str) -> MlflowClient:
    """Client of the store at ``uri``, whose tables are made when it is an empty database.

    Raises:
        RegistryError: when the store cannot be reached or used.
    """
    silence_mlflow()
    _require_reachable(uri)
    import mlflow

    silence_mlflow()  # importing MLflow configures its loggers anew
    try:
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    except Exception as error:
        raise unreachable(uri, error) from error


def reading_uri(uri: str) -> str:
    """``uri`` such that a SQLite database cannot be written through it; others as they are."""
    if not uri.startswith("sqlite"):
        return uri
    url = make_url(uri)
    if not url.database or url.database.startswith("file:"):
        return uri
    read_only = url.set(database=Path(url.database).absolute().as_uri())
    return str(read_only.update_query_dict({"mode": "ro", "uri": "true"}))


def has_tables(uri: str) -> bool:
    """Whether the store at ``uri`` was set up; a server is, and decides for itself.

    Raises:
        RegistryError: when the store cannot be reached.
    """
    if not is_database(uri):
        return True
    if uri.startswith("sqlite") and not Path(make_url(uri).database or "").exists():
        return False
    try:
        _require_answer(uri)
        engine = sa.create_engine(reading_uri(uri), poolclass=NullPool)
        return bool(sa.inspect(engine).has_table("model_versions"))
    except (OSError, sa.exc.SQLAlchemyError) as error:
        raise unreachable(uri, error) from error


def find_experiment(client: MlflowClient, name: str, artifact_root: str | None, uri: str) -> str:
    """Id of the experiment ``name``, made with ``artifact_root`` when there is none.

    Raises:
        RegistryError: when it was deleted, since MLflow then lets nobody use its name.
    """
    try:
        found = client.get_experiment_by_name(name)
        if found is None:
            return _create_experiment(client, name, artifact_root)
    except Exception as error:
        raise unreachable(uri, error) from error
    if found.lifecycle_stage != "active":
        raise RegistryError(
            f"experiment {name!r} of registry {_shown(uri)} was deleted; restore it with "
            "`mlflow experiments restore`, or name another one in the settings"
        )
    return str(found.experiment_id)


def resolve_source_tags() -> dict[str, str]:
    """The tags that MLflow puts on a run to say who made it and from what."""
    from mlflow.tracking.context.registry import resolve_tags

    source = {"mlflow.source.name": "many-models", "mlflow.source.type": "JOB"}
    tags: dict[str, str] = resolve_tags(source)
    return tags


def _create_experiment(client: MlflowClient, name: str, artifact_root: str | None) -> str:
    from mlflow import MlflowException

    try:
        return str(client.create_experiment(name, _absolute(artifact_root)))
    except MlflowException as error:
        found = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or found is None:
            raise
        return str(found.experiment_id)  # another process was faster


def _absolute(artifact_root: str | None) -> str | None:
    if artifact_root is None or local_path(artifact_root) is None:
        return artifact_root
    return artifact_root if artifact_root.startswith("file:") else os.path.abspath(artifact_root)


def unreachable(uri: str, error: object) -> RegistryError:
    """The error for a store that does not answer; never shows a password."""
    return RegistryError(
        f"registry {_shown(uri)} cannot be used: {error}; check its URL in the settings, that the "
        "server or file is there, and that you may read and write it"
    )


def is_database(uri: str) -> bool:
    """Whether ``uri`` is a database that the client opens itself, not a server in front of one."""
    return uri.split(":", 1)[0].split("+", 1)[0] in {"sqlite", "postgresql", "mysql", "mssql"}


@contextmanager
def as_tracking_uri(uri: str) -> Iterator[None]:
    """Make ``uri`` MLflow's global tracking URI for a moment.

    MLflow's SQL registry resolves a ``models:/m-...`` source through the global URI, whatever the
    client's own; without this it would look into another database, or create one in the current
    folder.
    """
    import mlflow

    with _tracking_uri_lock:
        previous = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(previous)  # type: ignore[arg-type]  # None means unset


def _require_reachable(uri: str) -> None:
    """Answer in seconds what MLflow, which tries ten times over, answers in minutes.

    A new SQLite database is made.
    """
    scheme = uri.split(":", 1)[0].split("+", 1)[0]
    try:
        if scheme == "sqlite":
            _prepare_sqlite(make_url(uri).database)
        _require_answer(uri)
    except (OSError, sqlite3.Error, ArgumentError, ValueError) as error:
        raise unreachable(uri, error) from error


def _prepare_sqlite(database: str | None) -> None:
    """Make the folder of the database, and a new database with a write-ahead log.

    With the log, readers such as the MLflow UI do not wait for a writer, and a commit costs one
    fsync in place of three. A database that exists keeps the journal that its owner chose.
    """
    if not database or database == ":memory:":
        raise ValueError("a registry must outlive its process; name a file, as in sqlite:///a.db")
    if database.startswith("file:"):
        return  # opened for reading: it is there
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists() or path.stat().st_size == 0
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL" if is_new else "PRAGMA schema_version")
    finally:
        connection.close()


def _require_answer(uri: str) -> None:
    parts = urlsplit(uri)
    scheme = parts.scheme.split("+", 1)[0]
    if parts.hostname is None or scheme not in _PORTS:
        return  # a file, or a database behind a Unix socket
    port = parts.port or _PORTS[scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise OSError(f"nothing answers at {parts.hostname}:{port} ({error})") from error


def _shown(uri: str) -> str:
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri
