"""From groups to partitions and shards: what a person, and a Spark task, works on at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Ints
from many_models.core.errors import UseCaseError
from many_models.core.keys import group_key, partition_of_hash, partition_of_value
from many_models.core.use_case import AnyUseCase

PARTITIONS_ADVISED = 1_000
PARTITIONS_MAX = 25_000
ROWS_A_SHARD = 200_000
GROUPS_A_SHARD = 100


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of whole datasets, the unit of a Spark task.

    ``data_through`` is an ISO timestamp: the last time with a target anywhere in the raw data when
    the shard was made.
    """

    partition: str
    number: int
    groups: int
    rows: int
    data_through: str
    path: str


@dataclass(frozen=True, slots=True)
class BrokenShard:
    """A shard whose file is not there any more, or damaged, and what reading it said."""

    shard: Shard
    error: str

    @property
    def text(self) -> str:
        return (
            f"shard {self.shard.number} of grouped_datasets, of {self.shard.groups} groups, cannot "
            f"be read ({self.error}); materialize grouped_datasets of this partition again"
        )


def partition_of(key: tuple[str, ...], use_case: AnyUseCase) -> str:
    """Dagster partition that the group with these key values belongs to."""
    if use_case.partitioning.by is not None:
        return partition_of_value(key[use_case.keys.index(use_case.partitioning.by)])
    buckets = use_case.partitioning.hash
    assert buckets is not None  # the use case has by or hash
    return partition_of_hash(group_key(use_case.keys, key), buckets)


def judge_partitions_count(count: int, use_case: AnyUseCase) -> str | None:
    """Advice where a key column has more values than make good partitions; None where it has not.

    Raises:
        UseCaseError: there are so many that Dagster's pages and event log would suffer.
    """
    by = use_case.partitioning.by
    if by is None or count <= PARTITIONS_ADVISED:
        return None
    text = (
        f"partitioning.by of {use_case.name!r}: {by} has {count:,} values, each a Dagster "
        f"partition; more than {PARTITIONS_ADVISED:,} make backfills and pages slow: give "
        "`partitioning: {hash: 200}` instead, and materialize grouped_datasets again"
    )
    if count > PARTITIONS_MAX:
        raise UseCaseError(f"{text} ({PARTITIONS_MAX:,} are the most that are accepted)")
    return text


def assign_shards(
    partitions: list[str],
    rows: Ints,
    *,
    rows_a_shard: int = ROWS_A_SHARD,
    groups_a_shard: int = GROUPS_A_SHARD,
) -> Ints:
    """Shard number (G) of each group, numbered from 0; groups come sorted by partition, then key.

    A shard lies within one partition and closes before it would exceed either limit.
    """
    shards = np.zeros(len(partitions), dtype=np.int64)
    number, filled_rows, filled_groups = -1, 0, 0
    for group, (partition, count) in enumerate(zip(partitions, rows.tolist(), strict=True)):
        fresh = group == 0 or partition != partitions[group - 1]
        if fresh or filled_rows + count > rows_a_shard or filled_groups >= groups_a_shard:
            number, filled_rows, filled_groups = number + 1, 0, 0
        shards[group] = number
        filled_rows += count
        filled_groups += 1
    return shards


def bundle_shards(
    shards: Sequence[Shard], *, groups_max: int, bundles_min: int
) -> list[tuple[Shard, ...]]:
    """Shards that follow each other, put together so that few remain, of ``groups_max`` groups.

    A shard is never divided: one that exceeds the limit is a bundle by itself. There are at least
    ``bundles_min`` bundles, so that nobody waits while others work, unless there are fewer shards.
    """
    total = sum(shard.groups for shard in shards)
    limit = min(groups_max, total // bundles_min)
    bundles: list[tuple[Shard, ...]] = []
    filled = 0
    for shard in shards:
        if not bundles or filled + shard.groups > limit:
            bundles.append(())
            filled = 0
        bundles[-1] += (shard,)
        filled += shard.groups
    return bundles
