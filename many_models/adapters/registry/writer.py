"""The port through which models are registered, and what its writers have in common.

``client_writer`` writes into any MLflow registry, model by model; ``bulk_writer`` straight into the
tables of a SQL database that it knows; ``server_writer`` lets an MLflow server do that. Which of
them a registry uses is decided here, but for what only a server can say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from sqlalchemy.exc import SQLAlchemyError

from many_models.adapters.registry.database import RegistryDatabase, is_supported
from many_models.adapters.registry.model_artifact import local_path
from many_models.adapters.registry.pack_place import SCHEMES
from many_models.adapters.registry.tables import find_difference
from many_models.core.registration import ModelRecord, ModelVersion, RegistrationFailure


class ModelWriter(Protocol):
    """Registers records as new versions, one outcome for each, in their order."""

    def write_all(
        self, records: Iterable[ModelRecord], alias: str | None
    ) -> Iterator[ModelVersion | RegistrationFailure]:
        """Register as the result is iterated; ``alias`` points to finished versions only.

        Raises:
            RegistryError: when the registry itself fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class DatabaseChoice:
    """The registry's database, where its tables are those we know; ``reason`` says why (not)."""

    database: RegistryDatabase | None
    reason: str


@dataclass(frozen=True, slots=True)
class WriterChoice:
    """Which writer a registry uses, and why; for logs and metadata.

    ``pack_folder`` (a URI) and ``database`` are set for ``bulk``; ``request_bytes``, the most that
    the server takes at once, for ``server``.
    """

    name: Literal["bulk", "client", "server"]
    reason: str
    database: RegistryDatabase | None = None
    pack_folder: str | None = None
    request_bytes: int | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def choose_database(uri: str) -> DatabaseChoice:
    """The database at ``uri`` where its tables can be used without MLflow's calls."""
    if not is_supported(uri):
        return DatabaseChoice(None, "the registry is no SQLite or PostgreSQL database")
    database = RegistryDatabase(uri)
    try:
        difference = find_difference(database.engine)
    except SQLAlchemyError as error:
        difference = f"its schema could not be read ({type(error).__name__})"
    if difference is not None:
        return DatabaseChoice(None, difference)
    return DatabaseChoice(database, "the registry is a database of a known schema")


def choose_writer(found: DatabaseChoice, artifact_location: str) -> WriterChoice:
    """Bulk where there is a database that we know and packs have a place to stand.

    ``artifact_location`` is the place of the experiment's artifacts, as MLflow has it.
    """
    if found.database is None:
        return WriterChoice("client", found.reason)
    folder = find_pack_folder(artifact_location)
    if folder is None:
        return WriterChoice("client", f"packs cannot stand at {artifact_location}")
    return WriterChoice("bulk", found.reason, found.database, folder)


def find_pack_folder(artifact_location: str) -> str | None:
    """URI of the folder for packs beside the artifacts there; None when they cannot stand there."""
    path = local_path(artifact_location)
    root = path.absolute().as_uri() if path is not None else artifact_location.rstrip("/")
    return f"{root}/packs" if root.split(":", 1)[0] in SCHEMES and "?" not in root else None
