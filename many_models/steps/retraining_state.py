"""The state of every partition, for retraining: from the ledger, the drift table and the manifest.

A handful of queries, however many partitions there are; databases add up, so that no rows of groups
are read but of those that wait for more data. What follows from the state is ``core.retraining``'s.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc

from many_models import __version__
from many_models.adapters.lake.tables import Lake
from many_models.core.config_version import config_version
from many_models.core.errors import LakeError
from many_models.core.retraining_causes import DriftSeen, LastTraining, PartitionState, Standard
from many_models.core.retraining_growth import REASONS, has_enough
from many_models.core.use_case import AnyUseCase
from many_models.steps.group import read_shards
from many_models.steps.results import Results

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KnownState:
    """States of all partitions, and what they are held against."""

    states: list[PartitionState]
    standard: Standard


def read_state(
    use_case: AnyUseCase, partitions: Collection[str], lake: Lake, results: Results
) -> KnownState:
    """What is known of these partitions.

    Raises:
        LakeError: models were trained, and their grouped datasets cannot be read.
    """
    trainings = _read_trainings(results)
    groups, through = _read_manifest(use_case, lake, needed=bool(trainings))
    standard = make_standard(use_case, through)
    drift = _read_drift(use_case, results)
    grown = _count_grown(use_case, results, through) if through else {}
    states = [
        PartitionState(
            name, groups.get(name, 0), trainings.get(name), drift.get(name), grown.get(name, 0)
        )
        for name in sorted(partitions)
    ]
    return KnownState(states, standard)


def make_standard(use_case: AnyUseCase, through: datetime | None) -> Standard:
    """What models are held against, of a use case whose data reaches ``through``."""
    rules, drift = use_case.retraining, use_case.drift
    return Standard(
        config_version=config_version(use_case),
        code_version=__version__,
        data_through=through,
        drift_share=drift.share_max,
        max_age_days=rules.max_age_days or drift.age_of(use_case.frequency),
    )


def _read_manifest(
    use_case: AnyUseCase, lake: Lake, *, needed: bool
) -> tuple[dict[str, int], datetime | None]:
    """Groups of each partition of the grouped datasets, and the last time of their data."""
    try:
        shards = read_shards(use_case, lake)
    except LakeError:
        if needed:
            raise
        return {}, None  # nothing was ever grouped
    groups: dict[str, int] = {}
    for shard in shards:
        groups[shard.partition] = groups.get(shard.partition, 0) + shard.groups
    return groups, max(datetime.fromisoformat(shard.data_through) for shard in shards)


def _read_trainings(results: Results) -> dict[str, LastTraining]:
    view = results.name("latest_ledger")
    rows = results.store.query(
        'SELECT "partition", run_id, COUNT(*) AS n, MAX(trained_at) AS trained_at, '
        "MAX(trained_through) AS trained_through, SUM(core_seconds) AS core_seconds, "
        "MAX(code_version) AS code_version, MAX(config_version) AS config_version "
        f'FROM "{view}" GROUP BY "partition", run_id'
    ).to_pylist()
    through = {row["partition"]: row["trained_through"] for row in rows}
    if unread := [name for name, time in through.items() if time is None]:
        through |= _read_through_before(results, unread)
    return {
        row["partition"]: LastTraining(
            run_id=row["run_id"],
            trained_at=_moment(row["trained_at"]),
            trained_through=_moment(through[row["partition"]]),
            groups=int(row["n"]),
            core_seconds=float(row["core_seconds"] or 0),
            code_version=str(row["code_version"]),
            config_version=row["config_version"],
        )
        for row in rows
        if through[row["partition"]] is not None
    }


def _read_through_before(results: Results, partitions: list[str]) -> dict[str, object]:
    """Last time of data of any training of these partitions, whose last one could read none.

    None for a partition that no training could read: nothing was learned of it ever.
    """
    names = {f"p{number}": name for number, name in enumerate(partitions)}
    rows = results.store.query(
        f'SELECT "partition", MAX(trained_through) AS through FROM "{results.name("ledger")}" '
        f'WHERE "partition" IN ({", ".join(f":{name}" for name in names)}) GROUP BY "partition"',
        names,
    )
    return {row["partition"]: row["through"] for row in rows.to_pylist()}


def _read_drift(use_case: AnyUseCase, results: Results) -> dict[str, DriftSeen]:
    table = results.name("drift")
    least = use_case.drift.judged_min_of(use_case.frequency)
    rows = results.store.query(
        'SELECT "partition", trained_through, MAX(measured_at) AS measured_at, '
        f"SUM(CASE WHEN judged >= {least} AND promised IS NOT NULL THEN 1 ELSE 0 END) AS judged, "
        "SUM(CASE WHEN drifted THEN 1 ELSE 0 END) AS drifted, SUM(excess) AS excess "
        f'FROM "{table}" GROUP BY "partition", trained_through'
    ).to_pylist()
    by_partition: dict[str, list[Row]] = {}
    for row in rows:
        by_partition.setdefault(row["partition"], []).append(row)
    return {name: _add_up(found) for name, found in by_partition.items()}


def _add_up(rows: list[Row]) -> DriftSeen:
    return DriftSeen(
        measured_at=max(_moment(row["measured_at"]) for row in rows),
        judged=sum(int(row["judged"]) for row in rows),
        drifted=sum(int(row["drifted"]) for row in rows),
        excess=sum(float(row["excess"] or 0) for row in rows),
        drifted_by_through={
            _moment(row["trained_through"]): int(row["drifted"])
            for row in rows
            if row["drifted"] and row["trained_through"] is not None
        },
    )


def _count_grown(use_case: AnyUseCase, results: Results, through: datetime) -> dict[str, int]:
    """Groups of each partition that had too little data and have about enough now."""
    view = results.name("latest_ledger")
    reasons = ", ".join(f"'{reason}'" for reason in REASONS)
    rows = results.store.query(
        f'SELECT "partition", observations, first_time, trained_through FROM "{view}" '
        f"WHERE status = 'skipped' AND reason IN ({reasons}) AND first_time IS NOT NULL "
        "AND trained_through < :through",
        {"through": through},
    )
    if not rows.num_rows:
        return {}
    enough = has_enough(
        use_case,
        observations=rows["observations"].to_numpy(),
        first_time=rows["first_time"].to_numpy(),
        trained_through=rows["trained_through"].to_numpy(),
        through=np.datetime64(through, "us"),
    )
    counts = pc.value_counts(rows["partition"].filter(enough)).to_pylist()
    return {found["values"]: int(found["counts"]) for found in counts}


def _moment(value: object) -> datetime:
    """A time as a database gives it: SQLite tells a computed one as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
