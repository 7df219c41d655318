"""Explanations: which feature does how much, in all models of a run (a table) and in one model.

Rows stream from the Spark tasks' results into the store, so that memory does not grow with groups.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.registry.model_artifact import EXPLANATION_FILE
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.spark.shard_work import TrainedShard
from many_models.core.errors import RegistryError
from many_models.core.explanation import (
    EFFECTS,
    EFFECTS_TYPE,
    explanation_schema,
    explanation_table,
)
from many_models.core.keys import group_key, model_name, parse_group_key
from many_models.core.registration import CANDIDATE_TAG
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results


def stream_explanations(
    use_case: AnyUseCase, trained: Sequence[TrainedShard], ledgers: Sequence[pa.Table]
) -> pa.RecordBatchReader:
    """Effects of every registered model, shard by shard; ``ledgers`` are their ledger rows."""

    def batches() -> Iterator[pa.RecordBatch]:
        for shard, ledger in zip(trained, ledgers, strict=True):
            registered = pc.equal(ledger["status"], "trained")
            effects = read_parquet(shard.path, [EFFECTS])[EFFECTS].filter(registered)
            yield from explanation_table(ledger.filter(registered), effects, use_case).to_batches()

    return pa.RecordBatchReader.from_batches(explanation_schema(use_case), batches())


@dataclass(frozen=True, slots=True)
class Explanation:
    """Effects (fields of ``ModelEffect``) of one model: what it is made of, then the largest first.

    ``origin`` says which model it is.
    """

    origin: str
    candidate: str
    effects: list[dict[str, Any]]


def read_explanation(
    use_case: AnyUseCase, key: str, production: ReadableRegistry, results: Results
) -> Explanation:
    """Explanation of the champion of a composite key, else of the model trained last.

    Raises:
        UseCaseError: the key does not name this use case's columns.
        RegistryError: there is no such model, or its files are not those that were registered.
    """
    values = parse_group_key(key, use_case.keys)
    name = model_name(use_case.name, use_case.keys, values)
    history = production.histories([name]).get(name)
    champion = history and next(
        (found for found in history.versions if found.version == history.champion), None
    )
    if champion:
        text = production.read(champion).files.get(EXPLANATION_FILE, b"{}")
        effects = json.loads(text).get(EFFECTS, [])
        candidate = champion.tags.get(CANDIDATE_TAG, "")
        return Explanation(f"champion v{champion.version}", candidate, effects)
    rows = _read_rows(results, group_key(use_case.keys, values))
    if not rows:
        raise RegistryError(
            f"no model with key {key!r} is champion, and the last training run of its partition "
            f"left none that tells anything; table {results.name('ledger')} says why"
        )
    origin = f"v{rows[0]['model_version']} of training; no version is champion"
    names = [field.name for field in EFFECTS_TYPE.value_type]
    found = [{name: row[name] for name in names if row[name] is not None} for row in rows]
    return Explanation(origin, rows[0]["candidate"], found)


def _read_rows(results: Results, key: str) -> list[dict[str, Any]]:
    name = results.name("explanations")
    select = f'SELECT * FROM "{name}" WHERE group_key = :key'
    rows: list[dict[str, Any]] = results.store.query(select, {"key": key}).to_pylist()
    return sorted(rows, key=lambda row: row["share_rank"] or 0)
