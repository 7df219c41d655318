from __future__ import annotations

import numpy as np
import pytest

from many_models.core.errors import UseCaseError
from many_models.core.sharding import (
    GROUPS_A_SHARD,
    ROWS_A_SHARD,
    Shard,
    assign_shards,
    bundle_shards,
    judge_partitions_count,
    partition_of,
)
from many_models_tests.fakes import make_use_case


def _assign(
    partitions: str, rows: list[int], most_rows: int = 10, most_groups: int = 3
) -> list[int]:
    numbers = assign_shards(
        list(partitions), np.array(rows), rows_a_shard=most_rows, groups_a_shard=most_groups
    )
    assigned: list[int] = numbers.tolist()
    return assigned


@pytest.mark.parametrize(
    ("partitions", "rows", "shards"),
    [
        ("aaa", [1, 1, 1], [0, 0, 0]),
        ("aaaaa", [1, 1, 1, 1, 1], [0, 0, 0, 1, 1]),  # groups
        ("aaa", [5, 5, 1], [0, 0, 1]),  # rows, to the last one
        ("aaa", [5, 6, 1], [0, 1, 1]),
        ("abb", [1, 1, 1], [0, 1, 1]),  # a shard lies in one partition
        ("aabbbbc", [1, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 2, 3]),
        ("aaa", [99, 99, 1], [0, 1, 2]),  # a group is never cut
        ("a", [0], [0]),
        ("", [], []),
    ],
)
def test_a_shard_closes_before_it_would_exceed_a_limit(
    partitions: str, rows: list[int], shards: list[int]
) -> None:
    assert _assign(partitions, rows) == shards


def test_many_groups_keep_within_both_limits_and_one_partition() -> None:
    chance = np.random.default_rng(0)
    partitions = sorted(chance.choice(list("abcde"), 5000).tolist())
    rows = chance.integers(0, 20_000, 5000)
    shards = assign_shards(partitions, rows)
    assert (np.diff(shards) >= 0).all()
    assert set(np.diff(shards).tolist()) == {0, 1}
    assert np.bincount(shards).max() <= GROUPS_A_SHARD
    assert np.bincount(shards, weights=rows).max() <= ROWS_A_SHARD
    of_shard = dict(zip(shards.tolist(), partitions, strict=True))
    assert [of_shard[number] for number in shards.tolist()] == partitions
    np.testing.assert_array_equal(assign_shards(partitions, rows), shards)


def test_a_partition_is_the_value_of_the_key_column_that_partitions() -> None:
    use_case = make_use_case(partitioning={"by": "item"})
    assert partition_of(("17", "MEAT"), use_case) == "MEAT"
    assert partition_of(("17", "..."), use_case) == "%2E%2E%2E"


def test_hash_partitions_depend_on_the_whole_key() -> None:
    use_case = make_use_case(partitioning={"hash": 50})
    names = {partition_of((store, item), use_case) for store in "abcdefgh" for item in "abcdefgh"}
    assert len(names) > 25
    assert partition_of(("17", "MEAT"), use_case) == partition_of(("17", "MEAT"), use_case)


@pytest.mark.parametrize(
    ("groups", "groups_max", "bundles_min", "bundles"),
    [
        ([1, 1, 1, 1, 1], 2, 1, [[1, 1], [1, 1], [1]]),
        ([2, 1, 2, 1], 3, 1, [[2, 1], [2, 1]]),
        ([9, 1, 9], 3, 1, [[9], [1], [9]]),  # a shard is never divided
        ([1, 1, 1, 1], 9, 2, [[1, 1], [1, 1]]),  # everybody has something to do
        ([1, 1, 1], 9, 2, [[1], [1], [1]]),
        ([1, 1], 9, 50, [[1], [1]]),
        ([], 9, 2, []),
    ],
)
def test_shards_are_bundled_but_leave_work_for_everybody(
    groups: list[int], groups_max: int, bundles_min: int, bundles: list[list[int]]
) -> None:
    shards = [Shard("p", number, count, 0, "", "") for number, count in enumerate(groups)]
    found = bundle_shards(shards, groups_max=groups_max, bundles_min=bundles_min)
    assert [[shard.groups for shard in bundle] for bundle in found] == bundles
    assert [shard for bundle in found for shard in bundle] == shards


def test_a_key_of_thousands_of_values_is_better_hashed() -> None:
    assert judge_partitions_count(1_000, make_use_case()) is None
    assert judge_partitions_count(90_000, make_use_case(partitioning={"hash": 200})) is None
    advice = judge_partitions_count(1_001, make_use_case())
    assert advice is not None and "store has 1,001 values" in advice and "{hash: 200}" in advice
    with pytest.raises(UseCaseError, match="25,000 are the most"):
        judge_partitions_count(25_001, make_use_case())
