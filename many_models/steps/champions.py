"""Table ``champions``: what is and was in production, copied for those who read SQL.

The production registry is the truth. A partition's rows are written anew after whatever changes its
champions; where a process was killed between the two, the next scoring finds and mends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.keys import parse_group_key
from many_models.core.registration import (
    CANDIDATE_TAG,
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    REPLACES_TAG,
    ROLLBACK_REASON_TAG,
    ROLLED_BACK_AT_TAG,
    ROLLED_BACK_BY_TAG,
    ROLLED_BACK_TO_TAG,
    ModelVersion,
)
from many_models.core.rollback import ChampionHistory
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results

TABLE = "champions"
MODELS_AT_ONCE = 5_000
"""Models whose whole histories are in memory together."""


def copy_champions(
    use_case: AnyUseCase,
    partitions: Collection[str],
    production: ReadableRegistry,
    results: Results,
) -> int:
    """Make the rows of these partitions what the registry has; returns how many they are.

    The registry is read while other writers of the table wait: whoever comes last has read last.
    """
    if not partitions:
        return 0
    schema = results.declaration.table(TABLE).schema

    def batches() -> Iterator[pa.RecordBatch]:
        names = _names(use_case, set(partitions), production)
        for start in range(0, len(names), MODELS_AT_ONCE):
            part = names[start : start + MODELS_AT_ONCE]
            rows = _read_rows(use_case, set(partitions), part, production)
            yield from pa.Table.from_pylist(rows, schema=schema).to_batches()

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    return results.replace(TABLE, reader, {"partition": sorted(partitions)})


def mend_champions(
    use_case: AnyUseCase,
    champions: Collection[ModelVersion],
    production: ReadableRegistry,
    results: Results,
) -> list[str]:
    """Copy the partitions whose ``champions`` are others than their table's; returns these."""
    true = {(c.tags.get(PARTITION_TAG, ""), c.name, c.version) for c in champions}
    rows = results.store.query(
        f'SELECT "partition", model_name, model_version FROM "{results.name(TABLE)}" '
        "WHERE is_champion"
    ).to_pylist()
    told = {(row["partition"], row["model_name"], row["model_version"]) for row in rows}
    wrong = sorted({partition for partition, _, _ in true ^ told})
    copy_champions(use_case, wrong, production, results)
    return wrong


def _names(use_case: AnyUseCase, partitions: set[str], production: ReadableRegistry) -> list[str]:
    """Names of the models that have, or had, a version in these partitions."""
    versions = _versions(use_case, partitions, production)
    return sorted({v.name for v in versions if v.tags.get(PARTITION_TAG) in partitions})


def _read_rows(
    use_case: AnyUseCase,
    partitions: set[str],
    names: Sequence[str],
    production: ReadableRegistry,
) -> list[dict[str, object]]:
    histories = production.histories(names)
    versions = [version for history in histories.values() for version in history.versions]
    metrics = production.metrics(versions)
    return [
        _row(use_case, version, history, ended, metrics.get(version.run_id, {}))
        for history in histories.values()
        for version, ended in zip(history.versions, _ends(history), strict=True)
        if version.tags.get(PARTITION_TAG) in partitions
    ]


def _versions(
    use_case: AnyUseCase, partitions: set[str], production: ReadableRegistry
) -> list[ModelVersion]:
    if len(partitions) > 1:
        return production.versions(use_case.name)
    return production.versions(use_case.name, {PARTITION_TAG: next(iter(partitions))})


def _ends(history: ChampionHistory) -> list[datetime | None]:
    """When each version gave way for the last time: to one that replaces it, or to a rollback.

    One that a rollback brought back may be replaced again.
    """
    replaced: dict[int | None, datetime | None] = {}
    for version in history.versions:
        number = _number(version.tags.get(REPLACES_TAG))
        replaced[number] = _moment(version.tags.get(PROMOTED_AT_TAG))
    ends: list[datetime | None] = []
    for version in history.versions:
        gone = replaced.get(version.version), _moment(version.tags.get(ROLLED_BACK_AT_TAG))
        last = max((at for at in gone if at is not None), default=None)
        ends.append(None if version.version == history.champion else last)
    return ends


def _row(
    use_case: AnyUseCase,
    version: ModelVersion,
    history: ChampionHistory,
    ended: datetime | None,
    metrics: Mapping[str, float],
) -> dict[str, object]:
    tags = version.tags
    group_key = tags.get(PARTITION_KEY_TAG)
    keys: Sequence[Any] = (
        parse_group_key(group_key, use_case.keys) if group_key else [None] * len(use_case.keys)
    )
    return {
        **dict(zip(use_case.keys, keys, strict=True)),
        "partition": tags.get(PARTITION_TAG),
        "group_key": group_key,
        "model_name": version.name,
        "model_version": version.version,
        "candidate": tags.get(CANDIDATE_TAG),
        "metric": tags.get("metric"),
        "score": metrics.get("score"),
        "baseline_score": metrics.get("baseline_score"),
        "trained_through": _moment(tags.get("trained_through")),
        "run_id": tags.get(DAGSTER_RUN_TAG),
        "promoted_at": _moment(tags.get(PROMOTED_AT_TAG)),
        "promoted_by": tags.get(PROMOTED_BY_TAG),
        "replaces": _number(tags.get(REPLACES_TAG)),
        "is_champion": version.version == history.champion,
        "ended_at": ended,
        "rolled_back_at": _moment(tags.get(ROLLED_BACK_AT_TAG)),
        "rolled_back_by": tags.get(ROLLED_BACK_BY_TAG),
        "rollback_reason": tags.get(ROLLBACK_REASON_TAG),
        "rolled_back_to": _number(tags.get(ROLLED_BACK_TO_TAG)),
    }


def _moment(text: str | None) -> datetime | None:
    """A tag's time, in UTC without a zone; None where it tells none."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
