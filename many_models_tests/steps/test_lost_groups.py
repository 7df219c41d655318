from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from many_models.core.errors import PartitionsError
from many_models.steps.forecast_review import count_coverage
from many_models.steps.group import compare_with_raw, read_shards
from many_models_tests.fakes import Columns, make_series, make_use_case, noisy_weeks
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case(
    candidates=["seasonal_naive", "ridge"],
    validation={"folds": 2},
    inventory={"lead_time": 3, "service_level": 0.95},
)
GROUPS: dict[tuple[str, ...], Columns] = {
    (store, item): make_series(USE_CASE, "2024-01-01", noisy_weeks(100, seed=seed))
    for seed, (store, item) in enumerate([("s1", "a"), ("s1", "b"), ("s2", "a"), ("s2", "b")])
}
ORIGIN = datetime(2024, 4, 9)


def test_a_broken_shard_costs_its_own_groups_alone_and_each_has_a_row_that_says_so(
    spark: SparkSession, tmp_path: Path, empty_registry_database: Path
) -> None:
    pipeline = Pipeline.create(tmp_path / "p", USE_CASE, spark, empty_registry_database)
    pipeline.ingest(GROUPS)
    pipeline.group("s1", "s2")
    (broken,) = read_shards(USE_CASE, pipeline.lake, ["s1"])
    Path(broken.path).write_bytes(Path(broken.path).read_bytes()[:-50])

    with pytest.raises(PartitionsError) as caught:
        pipeline.train("s1", "s2", "s3")

    reasons = caught.value.reasons
    assert reasons.keys() == {"s1", "s3"}
    assert "of 2 groups, cannot be read" in reasons["s1"]
    assert "no datasets" in reasons["s3"]
    ledger = pipeline.rows("ledger")
    ended = {(row["store"], row["item"]): (row["status"], row["reason"]) for row in ledger}
    assert len(ledger) == len(GROUPS)
    assert ended["s1", "a"] == ended["s1", "b"] == ("failed", "shard_unreadable")
    assert ended["s2", "a"] == ended["s2", "b"] == ("trained", None)
    held = compare_with_raw(USE_CASE, ["s1", "s2"], spark, pipeline.lake)
    assert {name: found.holds for name, found in held.items()} == {"s1": False, "s2": True}

    pipeline.promote("s2")
    pipeline.score(ORIGIN)

    sources = Counter((row["store"], row["source"]) for row in pipeline.rows("scoring"))
    assert sources == {("s1", "none"): 2, ("s2", "model"): 2}
    stock = Counter(
        (row["store"], row["source"], row["reason"], row["order_up_to"] is not None)
        for row in pipeline.rows("inventory")
    )
    assert stock == {
        ("s1", "none", "shard_unreadable", False): 2,
        ("s2", "model", None, True): 2,
    }
    coverage = count_coverage(USE_CASE, ORIGIN, pipeline.lake, pipeline.results)
    assert (coverage.forecast_groups, coverage.unreadable_groups) == (2, 2)
    assert not coverage.holds
