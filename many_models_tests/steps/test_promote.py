from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from many_models.core.errors import RegistryError
from many_models.core.forecast.use_case import UseCase
from many_models.core.registration import CHAMPION
from many_models.core.rollback import Rollback
from many_models.steps.promote import PromotedPartition, find_unqualified, promote_partitions
from many_models.steps.rollback import Selection, carry_out, plan
from many_models_tests.fakes import make_series, make_use_case, noisy_weeks
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case(
    validation={"min_observations": 60}, candidates=["seasonal_naive", "ridge"]
)
Make = Callable[[UseCase], Pipeline]


@pytest.fixture
def trained(make_pipeline: Make) -> Pipeline:
    """Two stores, trained but not judged; the second one has no group that can be trained."""
    pipeline = make_pipeline(USE_CASE)
    good = make_series(USE_CASE, "2024-01-01", noisy_weeks(100))
    thin = make_series(USE_CASE, "2024-01-01", [1.0, 2.0])
    pipeline.ingest({("s1", "a"): good, ("s1", "thin"): thin, ("s2", "thin"): thin})
    pipeline.group("s1", "s2")
    pipeline.train("s1", "s2", run_id="first")
    return pipeline


def _promote(pipeline: Pipeline, *partitions: str) -> dict[str, PromotedPartition]:
    return promote_partitions(
        USE_CASE,
        partitions,
        training=pipeline.training,
        production=pipeline.production,
        results=pipeline.results,
    )


def test_a_partition_without_a_verdict_on_its_last_run_is_refused(trained: Pipeline) -> None:
    with pytest.raises(RegistryError, match="'s1' has no verdict on its last training run"):
        _promote(trained, "s1")
    trained.promote("s1")
    trained.train("s1", run_id="second")
    with pytest.raises(RegistryError, match="promotion_rules"):
        _promote(trained, "s1")


def test_a_run_that_was_overtaken_leaves_promoting_to_the_other(trained: Pipeline) -> None:
    trained.promote("s1")
    trained.train("s1", run_id="second")

    def promote(*trained_by: str) -> PromotedPartition:
        return promote_partitions(
            USE_CASE,
            ["s1"],
            training=trained.training,
            production=trained.production,
            results=trained.results,
            trained_by=trained_by,
        )["s1"]

    assert promote("first") == PromotedPartition(0, 0, 0, 1, overtaken=True)
    with pytest.raises(RegistryError, match="'s1' has no verdict"):
        promote("a run that trained nothing")


def test_a_partition_without_models_needs_no_verdict(trained: Pipeline) -> None:
    assert _promote(trained, "s2") == {"s2": PromotedPartition(0, 0, 0, 0)}


def test_promoting_again_leaves_the_champions_as_they_are(trained: Pipeline) -> None:
    trained.promote("s1")
    champions = trained.production.champions("sales")
    assert _promote(trained, "s1") == {"s1": PromotedPartition(0, 1, 0, 1)}
    assert trained.production.champions("sales") == champions


def test_a_champion_that_was_rolled_back_serves_no_more_and_does_not_come_back(
    trained: Pipeline,
) -> None:
    trained.promote("s1")
    (first,) = trained.production.champions("sales")
    trained.train("s1", run_id="second")
    trained.promote("s1", run_id="the second promotion")
    (second,) = trained.production.champions("sales")
    assert second.tags["promoted_by"] == "the second promotion"
    assert second.tags["replaces"] == str(first.version)

    found = plan(USE_CASE, Selection.of(partition="s1"), "x", trained.production)
    rollback = Rollback("x", datetime(2026, 1, 5, tzinfo=UTC), "ann", "bad prices")
    carry_out(USE_CASE, found, rollback, production=trained.production, results=trained.results)

    assert _promote(trained, "s1") == {"s1": PromotedPartition(0, 0, 0, 1, rolled_back=1)}
    assert trained.production.champions("sales") == [first]
    assert find_unqualified(USE_CASE, ["s1"], trained.production, trained.results) == {"s1": []}
    trained.score(datetime(2024, 4, 9))
    served = {row["model_version"] for row in trained.rows("scoring") if row["source"] == "model"}
    assert served == {first.version}


def test_a_champion_stays_when_its_challenger_does_not_qualify(trained: Pipeline) -> None:
    trained.promote("s1")
    champions = trained.production.champions("sales")
    strict = replace(trained, use_case=USE_CASE.model_copy(update={"promotion": _never(USE_CASE)}))
    strict.train("s1", run_id="second")
    strict.promote("s1")
    strict.judge("s1", "s2")  # of two runs, the latter of which had judged s1 before
    assert trained.production.champions("sales") == champions
    assert find_unqualified(USE_CASE, ["s1"], trained.production, trained.results) == {"s1": []}


def _never(use_case: UseCase) -> object:
    return use_case.promotion.model_copy(update={"max_score": 1e-9})


def test_a_champion_that_nobody_judged_is_found(trained: Pipeline) -> None:
    (version,) = trained.training.versions("sales")
    record = trained.training.read(version)
    list(trained.production.register([record], alias=CHAMPION))
    found = find_unqualified(USE_CASE, ["s1", "s2"], trained.production, trained.results)
    assert found == {"s1": [version.name], "s2": []}
