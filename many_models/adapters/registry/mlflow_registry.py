"""A model registry in MLflow: register models, and all that ``readable_registry`` does.

Training and production are two of these, with a database and artifact folder each. How one model is
written stands in the writer; how a payload is read safely, in ``model_artifact``. Spark executors
that only load payloads need neither this module nor MLflow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from operator import length_hint
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from many_models.adapters.registry.bulk_writer import BulkWriter
from many_models.adapters.registry.champion_changes import (
    BulkChampionChanger,
    ClientChampionChanger,
)
from many_models.adapters.registry.client_writer import ClientWriter
from many_models.adapters.registry.connection import (
    find_experiment,
    open_client,
    resolve_source_tags,
    unreachable,
)
from many_models.adapters.registry.garbage import ClientGarbage, DatabaseGarbage, Garbage
from many_models.adapters.registry.indexes import create_indexes
from many_models.adapters.registry.model_artifact import local_path
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.registry.rows import Place
from many_models.adapters.registry.server_writer import ServerWriter, ask_server
from many_models.adapters.registry.writer import (
    DatabaseChoice,
    ModelWriter,
    WriterChoice,
    choose_database,
    choose_writer,
    find_pack_folder,
)
from many_models.core.errors import RegistryError
from many_models.core.registration import (
    LOCATION_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)
from many_models.core.rollback import ChampionChange, Rollback

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PROGRESS_SECONDS = 5.0


class MlflowRegistry(ReadableRegistry):
    """One MLflow store with the right to write: ``uri`` is a database or a server.

    ``artifact_root`` is the folder or URI of the models' files (None: the server's own);
    ``experiment`` is the name of the experiment that the runs go to. Connects on first use.
    ``allow_bulk`` lets it use the tables of a database that it knows, rather than MLflow's calls.
    """

    def __init__(
        self, uri: str, artifact_root: str | None, experiment: str, *, allow_bulk: bool = True
    ) -> None:
        super().__init__(uri, experiment, allow_bulk=allow_bulk)
        self.artifact_root = artifact_root

    def is_set_up(self) -> bool:
        return True  # the first use does it

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
        if self._allow_bulk and self.uri.startswith(("http://", "https://")):
            choice = ask_server(self.uri, self._experiment_id)
        if choice.name == "client":
            place, reason = self.experiment, choice.reason
            logger.warning("models are registered in %s one by one, slowly: %s", place, reason)
        return choice

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

    def garbage(self) -> Garbage:
        """What deletes versions and packs here.

        Raises:
            RegistryError: the packs are not where the settings say that this registry's are.
        """
        choice, found = self.writer, self._database
        if found.database is None:
            return ClientGarbage(self._client, self.uri, self._experiment_id, found.reason)
        root = self.artifact_root
        if root and choice.pack_folder and find_pack_folder(root) != choice.pack_folder:
            raise RegistryError(
                f"experiment {self.experiment!r} of registry {self.uri} keeps its packs in "
                f"{choice.pack_folder}, but the settings name {root}: is this a copy, and are the "
                "packs another registry's? Nothing is deleted. Name the folder in the settings "
                "if they are not"
            )
        return DatabaseGarbage(found.database, self.uri, self._experiment_id, choice.pack_folder)

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
        logger.info("the writer of models in %s is %s", self.experiment, choice)
        if choice.request_bytes is not None:
            return ServerWriter(self.uri, self._experiment_id, choice.request_bytes, example)
        if choice.database is None or choice.pack_folder is None:
            return ClientWriter(self._client, self.uri, self._experiment_id, example)
        create_indexes(choice.database)
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
