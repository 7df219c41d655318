"""The port through which versions and packs are deleted, and its two implementations.

``DatabaseGarbage`` works in the tables of a database that it knows, thousands of versions at once;
``ClientGarbage`` asks any MLflow registry to delete them, one by one. What may go is decided in
``core.retention``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.orphan_packs import delete_packs, find_orphans
from many_models.adapters.registry.version_removal import (
    NOTHING,
    Removal,
    preview_removal,
    remove_versions,
)
from many_models.core.registration import ModelVersion
from many_models.core.retention import PackReview

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

_PROGRESS_SECONDS = 5.0


class Garbage(Protocol):
    """Deletes from one registry; everything can be looked at before (``preview``)."""

    @property
    def note(self) -> str | None:
        """What whoever asks should know of the way in which this registry is cleaned."""
        ...

    def remove(self, versions: Sequence[ModelVersion], *, preview: bool) -> Removal:
        """Delete versions with all that belongs to them, but for those that are not ours alone."""
        ...

    def orphans(self, removal: Removal, protected: Collection[str], before: datetime) -> PackReview:
        """Review of the packs, as if ``removal`` had happened."""
        ...

    def delete(self, review: PackReview) -> int:
        """Delete the orphans; returns bytes freed on the disk."""
        ...

    def free_pages(self) -> int | None:
        """Bytes that the database holds free in its file; None where it does not tell."""
        ...

    def vacuum(self) -> int:
        """Give such bytes back; returns how many the disk got."""
        ...


@dataclass(frozen=True)
class DatabaseGarbage:
    """``pack_folder`` is None where the registry has no packs."""

    database: RegistryDatabase
    uri: str
    experiment_id: str
    pack_folder: str | None
    note: str | None = None

    def remove(self, versions: Sequence[ModelVersion], *, preview: bool) -> Removal:
        act = preview_removal if preview else remove_versions
        try:
            return _sum(act(self.database, self.experiment_id, versions), len(versions), preview)
        except self.database.failures as error:
            raise unreachable(self.uri, error) from error

    def orphans(self, removal: Removal, protected: Collection[str], before: datetime) -> PackReview:
        if self.pack_folder is None:
            return PackReview((), (), ())
        failures: tuple[type[Exception], ...] = (*self.database.failures, OSError)
        try:
            return find_orphans(self.database, self.pack_folder, removal, protected, before)
        except failures as error:
            raise unreachable(self.uri, error) from error

    def delete(self, review: PackReview) -> int:
        return delete_packs(review.orphans)

    def free_pages(self) -> int | None:
        if self.database.is_postgres:
            return None
        ((size,),) = self.database.query("PRAGMA page_size")
        ((free,),) = self.database.query("PRAGMA freelist_count")
        return int(free * size)

    def vacuum(self) -> int:
        if self.database.is_postgres:
            return 0  # autovacuum makes room for rows to come
        ((before,),) = self.database.query("PRAGMA page_count")
        ((size,),) = self.database.query("PRAGMA page_size")
        try:
            with closing(self.database.engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except self.database.failures as error:
            raise unreachable(self.uri, error) from error
        ((after,),) = self.database.query("PRAGMA page_count")
        return int((before - after) * size)


@dataclass(frozen=True)
class ClientGarbage:
    """Deletes with the calls that every registry understands.

    Version last: whoever is killed before finds it again. MLflow marks runs and logged models as
    deleted; ``mlflow gc``, on the registry's own machine, frees what they take.
    """

    client: MlflowClient
    uri: str
    experiment_id: str
    reason: str

    @property
    def note(self) -> str:
        return (
            f"Versions are deleted one by one, slowly: {self.reason}. MLflow only marks their runs "
            "and logged models; `mlflow gc`, where that registry runs, frees what they take"
        )

    def remove(self, versions: Sequence[ModelVersion], *, preview: bool) -> Removal:
        from mlflow import MlflowException

        act = self._look if preview else self._remove
        try:
            return _sum((act(version) for version in versions), len(versions), preview)
        except MlflowException as error:
            raise unreachable(self.uri, error) from error

    def _look(self, version: ModelVersion) -> Removal:
        found = self.client.get_model_version(version.name, str(version.version))
        run = self.client.get_run(version.run_id) if version.run_id else None
        if found.aliases or run is None or run.info.experiment_id != self.experiment_id:
            return NOTHING
        model_id = found.source.removeprefix("models:/") if found.source else ""
        models = {model_id} if model_id.startswith("m-") else set()
        rows = {"runs": 1, "logged_models": len(models), "model_versions": 1}
        key, places = (version.name, version.version), frozenset({version.location})
        return Removal(frozenset({key}), frozenset(models), places, rows)

    def _remove(self, version: ModelVersion) -> Removal:
        removal = self._look(version)
        for model_id in removal.model_ids:
            _unless_gone(self.client.delete_logged_model, model_id)
        if removal.versions:
            _unless_gone(self.client.delete_run, version.run_id)
            self.client.delete_model_version(version.name, str(version.version))
        return removal

    def orphans(self, removal: Removal, protected: Collection[str], before: datetime) -> PackReview:
        return PackReview((), (), ())  # what refers to a pack stands in a database out of sight

    def delete(self, review: PackReview) -> int:
        return 0

    def free_pages(self) -> int | None:
        return None

    def vacuum(self) -> int:
        return 0


def _unless_gone(delete: Callable[[str], object], item: str) -> None:
    """Delete what may be deleted already, by somebody who was killed before he had finished."""
    from mlflow import MlflowException

    try:
        delete(item)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise


def _sum(removals: Iterator[Removal], total: int, preview: bool) -> Removal:
    """All removals as one, with a line in the log every few seconds."""
    last = time.monotonic()
    versions: set[tuple[str, int]] = set()
    models: set[str] = set()
    locations: set[str] = set()
    rows: dict[str, int] = {}
    for removal in removals:
        versions |= removal.versions
        models |= removal.model_ids
        locations |= removal.locations
        for table, count in removal.rows.items():
            rows[table] = rows.get(table, 0) + count
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            doing = "looked at" if preview else "deleted"
            logger.info("%s %d / %d versions", doing, len(versions), total)
    return Removal(frozenset(versions), frozenset(models), frozenset(locations), rows)
