"""Registering models by the thousand: artifacts into packs, rows straight into MLflow's tables.

Leaves the rows that ``mlflow.sklearn.log_model(..., registered_model_name=...)`` leaves, some
thousand models a transaction. Packs are durable before a row speaks of them: a process killed at
any instant leaves whole transactions, and at worst packs that nothing refers to. MLflow's webhooks
do not fire: they belong to its server, which is not asked.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import pandas as pd

from many_models.adapters.registry.aliases import point_alias
from many_models.adapters.registry.artifact_template import Templates, own_files
from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.pack_place import PackSource
from many_models.adapters.registry.packing import store_model
from many_models.adapters.registry.packs import PackWriter, split_location
from many_models.adapters.registry.record_rules import check_alias, check_location, check_record
from many_models.adapters.registry.rows import Place, Registration
from many_models.adapters.registry.transaction import RegistryTransaction
from many_models.core.errors import RegistryError
from many_models.core.registration import (
    CANDIDATE_TAG,
    LOCATION_TAG,
    PARTITION_TAG,
    PAYLOAD_SHA256_TAG,
    REPLACES_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
    StoredModel,
)

logger = logging.getLogger(__name__)

CHUNK = 2_000  # models a transaction
MANY = 500  # models that change what a database should know of its tables
_ATTEMPTS = 2

Prepared = Registration | RegistrationFailure
Outcome = ModelVersion | RegistrationFailure


class BulkWriter:
    """Registers records in one experiment of one database; packs go to ``pack_folder`` (a URI).

    ``example`` is as for ``ClientWriter``, ``address`` as for ``PackWriter``; ``chunk`` is the
    number of models of a transaction. With an alias, the models of one partition that come in
    a row go into one transaction, however many they are: a partition changes as a whole.
    """

    def __init__(
        self,
        database: RegistryDatabase,
        uri: str,
        place: Place,
        pack_folder: str,
        example: pd.DataFrame | None,
        *,
        address: str | None = None,
        chunk: int | None = None,
    ) -> None:
        self._database = database
        self._uri = uri
        self._place = place
        self._pack_folder = pack_folder
        self._templates = Templates(example)
        self._packs_seen: set[str] = set()
        self._address = address
        self._chunk = chunk or CHUNK

    def write_all(self, records: Iterable[ModelRecord], alias: str | None) -> Iterator[Outcome]:
        """Register ``records`` as new versions, one outcome for each, in their order.

        Raises:
            RegistryError: when the registry itself fails; what was yielded before is there.
        """
        if alias is not None:
            check_alias(alias)
        written = 0
        with PackWriter(self._pack_folder, address=self._address) as packs:
            for chunk in self._chunks(records, packs, by_partition=alias is not None):
                written += len(chunk)
                yield from self._write(chunk, packs, alias)
        if written >= MANY:
            with suppress(*self._database.failures):  # slower searches, and nothing else
                self._database.analyze()

    def _chunks(
        self, records: Iterable[ModelRecord], packs: PackWriter, *, by_partition: bool
    ) -> Iterator[list[Prepared]]:
        chunk: list[Prepared] = []
        partition: str | None = None
        for record in records:
            previous, partition = partition, record.tags.get(PARTITION_TAG)
            if len(chunk) >= self._chunk and not (by_partition and partition == previous):
                yield chunk
                chunk = []
            chunk.append(self._prepare(record, packs))
        if chunk:
            yield chunk

    def _prepare(self, record: ModelRecord, packs: PackWriter) -> Prepared:
        tags = record.version_tags()
        try:
            check_record(record)
            if record.stored is None:
                stored = self._store(record, packs, tags[PAYLOAD_SHA256_TAG])
            else:
                stored = self._find(record.stored)
            check_location(stored.location)
        except RegistryError:
            raise
        except Exception as error:
            return _refused(record.name, error)
        now = time.time_ns() // 1_000_000
        return Registration(
            name=record.name,
            run_id=stored.run_id,
            model_id=stored.model_id,
            input_id=f"{now:012x}{os.urandom(10).hex()}",
            location=stored.location,
            metrics=record.metrics,
            params=record.params,
            tags=tags,
            model_tags=record.model_tags(),
            model_type=record.tags.get(CANDIDATE_TAG) or None,
            created=now,
        )

    def _store(self, record: ModelRecord, packs: PackWriter, sha256: str) -> StoredModel:
        template = self._templates.of(record)
        try:
            return store_model(packs, template, record.payload, sha256, own_files(record))
        except OSError as error:
            raise unreachable(self._uri, error) from error

    def _find(self, stored: StoredModel) -> StoredModel:
        """``stored``, after a look at its pack: it may have been written on another machine."""
        pack, _ = split_location(stored.location)
        if pack not in self._packs_seen:
            try:
                with PackSource(pack):
                    self._packs_seen.add(pack)
            except OSError as error:
                raise RegistryError(
                    f"pack {pack}, which a Spark task wrote, cannot be read here: {error}; let "
                    "the registry's artifact folder be one that driver and executors share"
                ) from error
        return stored

    def _write(
        self, chunk: Sequence[Prepared], packs: PackWriter, alias: str | None
    ) -> list[Outcome]:
        new = [prepared for prepared in chunk if isinstance(prepared, Registration)]
        try:
            packs.seal()
            with self._database.writing() as transaction:
                written = self._add(transaction, new, alias)
        except OSError as error:
            raise unreachable(self._uri, error) from error
        except self._database.failures as error:
            raise unreachable(self._uri, error) from error
        outcomes = iter(written)
        return [next(outcomes) if isinstance(p, Registration) else p for p in chunk]

    def _add(
        self, transaction: RegistryTransaction, new: Sequence[Registration], alias: str | None
    ) -> list[Outcome]:
        """Add all that the database takes; halves what it refuses until the culprit is alone."""
        for attempt in range(_ATTEMPTS):
            try:
                with transaction.savepoint():
                    numbers = transaction.add(new, self._place, alias)
                    added = [(n.name, number) for n, number in zip(new, numbers, strict=True)]
                    replaced = point_alias(transaction, alias, added) if alias else {}
                return [
                    _version(registration, key[1], replaced.get(key))
                    for registration, key in zip(new, added, strict=True)
                ]
            except self._database.refusals as error:
                if len(new) > 1:
                    break
                # Alone it may have met a version that another client wrote meanwhile.
                if attempt == _ATTEMPTS - 1:
                    return [_refused(new[0].name, error)]
        half = len(new) // 2
        first = self._add(transaction, new[:half], alias)
        return first + self._add(transaction, new[half:], alias)


def _version(new: Registration, number: int, replaces: int | None) -> ModelVersion:
    tags = {**new.tags, LOCATION_TAG: new.location}
    if replaces is not None:
        tags[REPLACES_TAG] = str(replaces)
    return ModelVersion(new.name, number, new.run_id, new.location, tags)


def _refused(name: str, error: Exception) -> RegistrationFailure:
    logger.warning("model %s was not registered: %s", name, error)
    return RegistrationFailure(name, f"{type(error).__name__}: {error}")
