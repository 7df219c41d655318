"""Removing versions from MLflow's database for good: every row of some thousand of them at once.

What goes was decided elsewhere. Here it is only made sure that it is ours: a version stays that an
alias points to, or whose run belongs to somebody else's experiment; a run or a logged model stays
that something else refers to.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from many_models.adapters.registry import tables
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.rows import WORKSPACE
from many_models.adapters.registry.transaction import RegistryTransaction
from many_models.core.registration import ModelVersion

logger = logging.getLogger(__name__)

CHUNK = 2_000  # versions a transaction

_INDEX = "many_models_collects"

# MLflow keeps no index of this column, by which databases look for orphans of every deleted run.
_ADD_INDEX = f"CREATE INDEX IF NOT EXISTS {_INDEX} ON logged_model_metrics (run_id)"
_DROP_INDEX = f"DROP INDEX IF EXISTS {_INDEX}"

_TABLE = """
CREATE TEMPORARY TABLE doomed (
  name VARCHAR(256), version INTEGER, run_id VARCHAR(32), model_id VARCHAR(36),
  PRIMARY KEY (name, version))
"""
_FILL = {
    False: "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)",
    True: "SELECT value ->> 0, (value ->> 1)::integer FROM json_array_elements(?::json)",
}
_OURS = f"""
DELETE FROM doomed WHERE NOT EXISTS (
  SELECT 1 FROM model_versions v JOIN runs r ON r.run_uuid = v.run_id
  WHERE v.workspace = '{WORKSPACE}' AND v.name = doomed.name AND v.version = doomed.version
  AND r.experiment_id = ?)
OR EXISTS (
  SELECT 1 FROM registered_model_aliases a
  WHERE a.workspace = '{WORKSPACE}' AND a.name = doomed.name AND a.version = doomed.version)
"""
_RUNS = f"""
UPDATE doomed SET run_id = (
  SELECT v.run_id FROM model_versions v
  WHERE v.workspace = '{WORKSPACE}' AND v.name = doomed.name AND v.version = doomed.version)
"""
_MODELS = f"""
UPDATE doomed SET model_id = (
  SELECT m.model_id FROM model_versions v JOIN logged_models m
    ON m.model_id = substr(v.source, 9) AND m.source_run_id = v.run_id
  WHERE v.workspace = '{WORKSPACE}' AND v.name = doomed.name AND v.version = doomed.version
  AND v.source = 'models:/' || m.model_id AND m.experiment_id = ?)
"""
_SURVIVES = """
FROM model_versions v WHERE NOT EXISTS (
  SELECT 1 FROM doomed d WHERE d.name = v.name AND d.version = v.version)
"""
_USED_MODELS = f"""
UPDATE doomed SET model_id = NULL WHERE model_id IN (SELECT substr(v.source, 9) {_SURVIVES})
"""
_RUNS_OF_VERSIONS = f"""
UPDATE doomed SET run_id = NULL WHERE run_id IN (SELECT v.run_id {_SURVIVES})
"""
_RUNS_OF_MODELS = """
UPDATE doomed SET run_id = NULL WHERE run_id IN (
  SELECT source_run_id FROM logged_models WHERE model_id NOT IN (
    SELECT model_id FROM doomed WHERE model_id IS NOT NULL) AND source_run_id IS NOT NULL)
"""

_MODEL = "IN (SELECT model_id FROM doomed)"
_RUN = "IN (SELECT run_id FROM doomed)"
_VERSION = f"(workspace, name, version) IN (SELECT '{WORKSPACE}', name, version FROM doomed)"
_ROWS = (
    (
        tables.INPUTS,
        f"(destination_type IN ('MODEL_INPUT', 'MODEL_OUTPUT') AND destination_id {_MODEL})"
        f" OR (source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id {_RUN})"
        f" OR (destination_type = 'RUN' AND destination_id {_RUN})",
    ),
    (tables.LOGGED_MODEL_METRICS, f"model_id {_MODEL}"),
    (tables.LOGGED_MODEL_PARAMS, f"model_id {_MODEL}"),
    (tables.LOGGED_MODEL_TAGS, f"model_id {_MODEL}"),
    (tables.LOGGED_MODELS, f"model_id {_MODEL}"),
    (tables.LATEST_METRICS, f"run_uuid {_RUN}"),
    (tables.METRICS, f"run_uuid {_RUN}"),
    (tables.PARAMS, f"run_uuid {_RUN}"),
    (tables.RUN_TAGS, f"run_uuid {_RUN}"),
    (tables.RUNS, f"run_uuid {_RUN}"),
    (tables.MODEL_VERSION_TAGS, _VERSION),
    (tables.MODEL_VERSIONS, _VERSION),
)
"""Children first. A registered model, its tags and its aliases stay: it keeps a version."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What went, or would go: versions by name and number, logged models, rows by table.

    ``locations`` are where the files of these versions stand, or stood.
    """

    versions: frozenset[tuple[str, int]]
    model_ids: frozenset[str]
    locations: frozenset[str]
    rows: dict[str, int]


NOTHING = Removal(frozenset(), frozenset(), frozenset(), {})


def preview_removal(
    database: RegistryDatabase, experiment_id: str, versions: Sequence[ModelVersion]
) -> Iterator[Removal]:
    """What would go with ``versions``, chunk by chunk."""
    for chunk in _chunks(versions):
        with _undone(database) as transaction:
            found = _doom(transaction, database, experiment_id, chunk)
            count = partial(_count, transaction)
            yield Removal(*found, {table.name: count(table.name, rows) for table, rows in _ROWS})


def remove_versions(
    database: RegistryDatabase, experiment_id: str, versions: Sequence[ModelVersion]
) -> Iterator[Removal]:
    """Delete ``versions`` and all that belongs to them, one chunk a transaction.

    With none of them it tidies up after one that was killed.
    """
    if versions:
        _try(database, _ADD_INDEX)
    try:
        for chunk in _chunks(versions):
            with database.writing() as transaction:
                found = _doom(transaction, database, experiment_id, chunk)
                rows = {
                    table.name: transaction.execute(f"DELETE FROM {table.name} WHERE {condition}")
                    for table, condition in _ROWS
                }
                transaction.execute("DROP TABLE doomed")
            yield Removal(*found, rows)
    finally:
        _try(database, _DROP_INDEX)


def _try(database: RegistryDatabase, sql: str) -> None:
    """Change an index; who may write rows may not always do that, and then it takes longer."""
    try:
        with database.writing() as transaction:
            transaction.execute(sql)
    except database.failures as error:
        logger.warning("deleting takes longer: %s was refused (%s)", sql, error)


class _UndoneError(Exception):
    """Ends a transaction that is to leave nothing."""


@contextmanager
def _undone(database: RegistryDatabase) -> Iterator[RegistryTransaction]:
    try:
        with database.writing() as transaction:
            yield transaction
            raise _UndoneError
    except _UndoneError:
        pass


def _doom(
    transaction: RegistryTransaction,
    database: RegistryDatabase,
    experiment_id: str,
    chunk: Sequence[ModelVersion],
) -> tuple[frozenset[tuple[str, int]], frozenset[str], frozenset[str]]:
    """Fill the table ``doomed``; returns the versions and logged models in it, and locations."""
    pairs = json.dumps([(version.name, version.version) for version in chunk])
    transaction.execute(_TABLE)
    fill = _FILL[database.is_postgres]
    transaction.execute(f"INSERT INTO doomed (name, version) {fill}", [pairs])
    transaction.execute(_OURS, [int(experiment_id)])
    transaction.execute(_RUNS)
    transaction.execute(_MODELS, [int(experiment_id)])
    for keep_used in (_USED_MODELS, _RUNS_OF_VERSIONS, _RUNS_OF_MODELS):
        transaction.execute(keep_used)
    if database.is_postgres:
        transaction.execute("ANALYZE doomed")
    found = transaction.query("SELECT name, version, model_id FROM doomed")
    versions = frozenset((name, version) for name, version, _ in found)
    models = frozenset(model_id for _, _, model_id in found if model_id)
    locations = (v.location for v in chunk if (v.name, v.version) in versions)
    return versions, models, frozenset(locations)


def _count(transaction: RegistryTransaction, table: str, condition: str) -> int:
    ((count,),) = transaction.query(f"SELECT count(*) FROM {table} WHERE {condition}")
    return int(count)


def _chunks(versions: Sequence[ModelVersion]) -> Iterator[Sequence[ModelVersion]]:
    for start in range(0, len(versions), CHUNK):
        yield versions[start : start + CHUNK]
