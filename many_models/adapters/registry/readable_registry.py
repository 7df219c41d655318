"""What a model registry gives to those who only read it: champions, versions, their files.

Nothing here writes, makes or migrates anything, so it does with credentials that may not. How
models get into a registry stands in ``mlflow_registry``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from many_models.adapters.registry.client_reader import ClientReader
from many_models.adapters.registry.connection import (
    has_tables,
    open_client,
    reading_uri,
    silence_mlflow,
    unreachable,
    with_driver,
)
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.model_artifact import PAYLOAD_FILE, PayloadError, load_files
from many_models.adapters.registry.orphan_packs import packs_in_use
from many_models.adapters.registry.reader import Details, ModelReader
from many_models.adapters.registry.sql_reader import SqlReader
from many_models.adapters.registry.writer import DatabaseChoice, choose_database
from many_models.core.errors import RegistryError
from many_models.core.registration import (
    PAYLOAD_SHA256_TAG,
    ROLLED_BACK_AT_TAG,
    USE_CASE_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)
from many_models.core.rollback import ChampionHistory

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

_CHUNK = 1_000  # versions whose runs are looked up together


class ReadableRegistry:
    """The models of one MLflow store: ``uri`` is a database or a server.

    ``experiment`` is the name of the experiment that their runs are in. A registry that nobody has
    written to yet holds no models; it is not made. Connects on first use.
    """

    def __init__(self, uri: str, experiment: str, *, allow_bulk: bool = True) -> None:
        silence_mlflow()
        self.uri = with_driver(uri)
        self.experiment = experiment
        self._allow_bulk = allow_bulk

    def check(self) -> None:
        """Make sure that the registry can be read.

        Raises:
            RegistryError: saying what is out of reach, and what to do.
        """
        try:
            self.champion("no-such-model")
        except RegistryError:
            raise
        except Exception as error:
            raise unreachable(self.uri, error) from error

    def champions(
        self, use_case: str, partitions: Collection[str] | None = None
    ) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        return self._reader.champions(use_case, partitions) if self.is_set_up() else []

    def champion(self, name: str) -> ModelVersion | None:
        """The version in production of the registered model ``name``, if there is one."""
        return self._reader.champion(name) if self.is_set_up() else None

    def versions(self, use_case: str, tags: Mapping[str, str] | None = None) -> list[ModelVersion]:
        """Every version of a use case that carries all of ``tags``, by name and version."""
        if not self.is_set_up():
            return []
        return self._reader.versions({USE_CASE_TAG: use_case, **(tags or {})})

    def rolled_back(self, use_case: str) -> list[ModelVersion]:
        """Every version of a use case that was rolled back, by name and version."""
        return self._reader.tagged(use_case, ROLLED_BACK_AT_TAG) if self.is_set_up() else []

    def histories(self, names: Collection[str]) -> dict[str, ChampionHistory]:
        """All versions, and the champion, of those of ``names`` that are registered models."""
        return self._reader.histories(names) if self.is_set_up() else {}

    def packs_in_use(self) -> frozenset[str]:
        """Names of all packs that anything here refers to, where the database can be asked."""
        if not self.is_set_up() or self._database.database is None:
            return frozenset()
        try:
            return packs_in_use(self._database.database)
        except self._database.database.failures as error:
            raise unreachable(self.uri, error) from error

    def metrics(self, versions: Sequence[ModelVersion]) -> dict[str, dict[str, float]]:
        """Metrics by ``run_id`` of ``versions``; infinity comes back as the largest float."""
        return self._reader.metrics(versions)

    def read(self, version: ModelVersion) -> ModelRecord:
        """One version in full; RegistryError when its files are not those that were registered."""
        (found,) = self.read_all([version])
        if isinstance(found, RegistrationFailure):
            raise RegistryError(found.error)
        return found

    def read_all(
        self, versions: Iterable[ModelVersion]
    ) -> Iterator[ModelRecord | RegistrationFailure]:
        """Every one of ``versions`` in full, in order; a failure for what cannot be read."""
        for chunk in _chunks(versions, _CHUNK):
            details = self._reader.details(chunk)
            for version in chunk:
                yield self._read(version, details.get(version.run_id))

    def _read(
        self, version: ModelVersion, details: Details | None
    ) -> ModelRecord | RegistrationFailure:
        if details is None:
            what = f"model {version.name}: run {version.run_id} of version {version.version}"
            return RegistrationFailure(version.name, f"{what} is gone; train the model again")
        expected = version.tags.get(PAYLOAD_SHA256_TAG, "")
        try:
            files = load_files(version.location, expected, version.name, registry_uri=self.uri)
        except PayloadError as error:
            return RegistrationFailure(version.name, str(error))
        return ModelRecord(
            name=version.name,
            payload=files.pop(PAYLOAD_FILE),
            metrics=details.metrics,
            params=details.params,
            tags=version.tags,
            key_tags=tuple(sorted(version.tags.keys() & details.model_tags)),
            files=files,
        )

    @property
    def database(self) -> RegistryDatabase | None:
        """The registry's database, where it is one whose tables we know."""
        return self._database.database

    def is_set_up(self) -> bool:
        """Whether anybody has written to the registry; asked anew until somebody has."""
        return "_reader" in vars(self) or has_tables(self.uri)

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(reading_uri(self.uri))

    @cached_property
    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        if found is None:
            raise RegistryError(f"registry {self.uri} has no experiment {self.experiment!r}")
        return str(found.experiment_id)

    @cached_property
    def _database(self) -> DatabaseChoice:
        if not self._allow_bulk:
            return DatabaseChoice(None, "use of the database is turned off")
        return choose_database(reading_uri(self.uri))

    @cached_property
    def _reader(self) -> ModelReader:
        database = self._database.database
        if database is None:
            return ClientReader(self._client, lambda: self._experiment_id)
        return SqlReader(database, self.uri)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
