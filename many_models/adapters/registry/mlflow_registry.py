"""A model registry in MLflow: register models, find champions and versions by tags, read them back.

Training and production are two of these, with a database and artifact folder each. How one model is
written stands in the writer; how a payload is read safely, in ``model_artifact``. Spark executors
that only load payloads need neither this module nor MLflow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from many_models.adapters.registry.bulk_writer import BulkWriter
from many_models.adapters.registry.champion_changes import (
    BulkChampionChanger,
    ClientChampionChanger,
)
from many_models.adapters.registry.client_reader import ClientReader
from many_models.adapters.registry.client_writer import ClientWriter
from many_models.adapters.registry.connection import (
    find_experiment,
    open_client,
    resolve_source_tags,
    silence_mlflow,
    unreachable,
    with_driver,
)
from many_models.adapters.registry.model_artifact import (
    PAYLOAD_FILE,
    PayloadError,
    load_files,
    local_path,
)
from many_models.adapters.registry.reader import Details, ModelReader
from many_models.adapters.registry.rows import Place
from many_models.adapters.registry.sql_reader import SqlReader
from many_models.adapters.registry.writer import (
    DatabaseChoice,
    ModelWriter,
    WriterChoice,
    choose_database,
    choose_writer,
)
from many_models.core.errors import RegistryError
from many_models.core.registration import (
    LOCATION_TAG,
    PAYLOAD_SHA256_TAG,
    ROLLED_BACK_AT_TAG,
    USE_CASE_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)
from many_models.core.rollback import ChampionChange, ChampionHistory, Rollback

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CHUNK = 1_000  # versions whose runs are looked up together
_PROGRESS_SECONDS = 5.0


class MlflowRegistry:
    """One MLflow store: ``uri`` is a database or a server.

    ``artifact_root`` is the folder or URI of the models' files (None: the server's own);
    ``experiment`` is the name of the experiment that the runs go to. Connects on first use.
    ``allow_bulk`` lets it use the tables of a database that it knows, rather than MLflow's calls.
    """

    def __init__(
        self, uri: str, artifact_root: str | None, experiment: str, *, allow_bulk: bool = True
    ) -> None:
        silence_mlflow()
        self.uri = with_driver(uri)
        self.artifact_root = artifact_root
        self.experiment = experiment
        self._allow_bulk = allow_bulk

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(self.uri)

    @cached_property
    def _experiment_id(self) -> str:
        return find_experiment(self._client, self.experiment, self.artifact_root, self.uri)

    @cached_property
    def _database(self) -> DatabaseChoice:
        if not self._allow_bulk:
            return DatabaseChoice(None, "writing in bulk is turned off")
        _ = self._client  # sets up a new database
        return choose_database(self.uri)

    @cached_property
    def writer(self) -> WriterChoice:
        """How models are written here, and why."""
        experiment = self._client.get_experiment(self._experiment_id)
        choice = choose_writer(self._database, experiment.artifact_location)
        if choice.name == "client":
            place, reason = self.experiment, choice.reason
            logger.warning("models are registered in %s one by one, slowly: %s", place, reason)
        return choice

    @cached_property
    def _reader(self) -> ModelReader:
        database = self._database.database
        if database is None:
            return ClientReader(self._client, lambda: self._experiment_id)
        return SqlReader(database, self.uri)

    def check(self) -> None:
        """Make sure that the registry can be read and written; a new database is set up.

        Raises:
            RegistryError: saying what is out of reach, and what to do.
        """
        try:
            _ = self._experiment_id
            self._client.search_registered_models(max_results=1)
            _ = self.writer
            folder = None if self.artifact_root is None else local_path(self.artifact_root)
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK):
                    raise PermissionError(f"artifact folder {folder} is not writable")
        except RegistryError:
            raise
        except Exception as error:
            raise unreachable(self.uri, error) from error

    def register(
        self,
        records: Iterable[ModelRecord],
        *,
        alias: str | None = None,
        example: pd.DataFrame | None = None,
        total: int | None = None,
    ) -> Iterator[ModelVersion | RegistrationFailure]:
        """Register ``records`` one after the other; yields one outcome for each, in their order.

        Work happens as the result is iterated. ``alias`` is set last, so that whoever looks models
        up by it sees finished versions only. ``example`` holds a few raw rows that the models
        accept: they give models fresh from training their MLflow signature (else they have none).
        ``total`` is the number of records, for the log, where ``records`` has no length.

        Raises:
            RegistryError: when the registry itself fails; outcomes yielded before remain valid.
        """
        outcomes = self._open_writer(example).write_all(records, alias)
        yield from _logged(outcomes, total or length_hint(records), self.experiment)

    def _open_writer(self, example: pd.DataFrame | None) -> ModelWriter:
        choice = self.writer
        if choice.database is None or choice.pack_folder is None:
            return ClientWriter(self._client, self.uri, self._experiment_id, example)
        experiment = self._client.get_experiment(self._experiment_id)
        source_tags = resolve_source_tags()
        place = Place(
            experiment_id=int(experiment.experiment_id),
            artifact_uri=experiment.artifact_location.rstrip("/"),
            user=source_tags.get("mlflow.user", "unknown"),
            source_tags=source_tags,
            location_tag=LOCATION_TAG,
        )
        return BulkWriter(choice.database, self.uri, place, choice.pack_folder, example)

    def champions(
        self, use_case: str, partitions: Collection[str] | None = None
    ) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        return self._reader.champions(use_case, partitions)

    def champion(self, name: str) -> ModelVersion | None:
        """The version in production of the registered model ``name``, if there is one."""
        return self._reader.champion(name)

    def versions(self, use_case: str, tags: Mapping[str, str] | None = None) -> list[ModelVersion]:
        """Every version of a use case that carries all of ``tags``, by name and version."""
        return self._reader.versions({USE_CASE_TAG: use_case, **(tags or {})})

    def rolled_back(self, use_case: str) -> list[ModelVersion]:
        """Every version of a use case that was rolled back, by name and version."""
        return self._reader.tagged(use_case, ROLLED_BACK_AT_TAG)

    def histories(self, names: Collection[str]) -> dict[str, ChampionHistory]:
        """All versions, and the champion, of those of ``names`` that are registered models."""
        return self._reader.histories(names)

    def roll_back(self, changes: Sequence[ChampionChange], rollback: Rollback) -> None:
        """Carry ``changes`` out, each model once, and write ``rollback`` on what was champion.

        In one transaction where the registry is a database that we know, else one by one.

        Raises:
            RegistryError: when a champion is another than the change says, or the registry fails.
        """
        database = self._database.database
        changer = (
            ClientChampionChanger(self._client, self.uri)
            if database is None
            else BulkChampionChanger(database, self.uri)
        )
        changer.roll_back(changes, rollback)

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


def _logged(outcomes: Iterator[T], total: int, place: str) -> Iterator[T]:
    """``outcomes`` as they come, with a line in the log every few seconds."""
    start = last = time.monotonic()
    done = 0
    of_total = f" / {total}" if total else ""
    for done, outcome in enumerate(outcomes, start=1):
        yield outcome
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            logger.info("registered %d%s models in %s", done, of_total, place)
    seconds = time.monotonic() - start
    logger.info("registered %d%s models in %s, %.1f seconds", done, of_total, place, seconds)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
