from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from many_models.core.errors import RegistryError, UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.steps.explanations import Explanation, read_explanation
from many_models_tests.core.tabular.rows import make_flights, make_route
from many_models_tests.fakes import make_series, make_use_case, noisy_weeks
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case(
    candidates=["seasonal_naive", "ridge"], features={"known": ["price"]}, validation={"folds": 1}
)
KEY = "store=s1,item=tea"


@pytest.fixture
def pipeline(make_pipeline: Callable[[AnyUseCase], Pipeline]) -> Pipeline:
    """Sales that follow the price of tea; in s2 nothing was sold."""
    made = make_pipeline(USE_CASE)
    price = [1.0 + (day * 7919) % 13 for day in range(100)]
    sold = [100 - 5 * p + v / 10 for p, v in zip(price, noisy_weeks(100), strict=True)]
    made.ingest(
        {
            ("s1", "tea"): make_series(USE_CASE, "2024-01-01", sold, price=price),
            ("s1", "rye"): make_series(USE_CASE, "2024-01-01", noisy_weeks(100)),
            ("s2", "none"): make_series(USE_CASE, "2024-01-01", [0.0] * 100),
        }
    )
    made.group("s1", "s2")
    made.train("s1", "s2", run_id="first")
    return made


def _read(pipeline: Pipeline, key: str = KEY) -> Explanation:
    return read_explanation(USE_CASE, key, pipeline.champions, pipeline.results)


def _rows(pipeline: Pipeline) -> list[dict[str, object]]:
    name = pipeline.results.name("explanations")
    rows: list[dict[str, object]] = pipeline.results.store.query(
        f'SELECT * FROM "{name}" ORDER BY group_key, share_rank'
    ).to_pylist()
    return rows


def test_the_table_tells_which_feature_matters_in_how_many_groups(pipeline: Pipeline) -> None:
    rows = [row for row in _rows(pipeline) if row["item"] == "tea"]
    assert (rows[0]["feature"], rows[0]["share_rank"], rows[0]["effect"]) == (
        "price",
        1,
        "coefficient",
    )
    assert rows[0]["value"] == pytest.approx(-5, abs=0.5)
    (ledger,) = [row for row in pipeline.rows("ledger") if row["item"] == "tea"]
    for name in ("partition", "group_key", "run_id", "trained_at", "model_name", "model_version"):
        assert {row[name] for row in rows} == {ledger[name]}
    count = pipeline.results.store.query(
        f'SELECT COUNT(DISTINCT group_key) AS n FROM "{pipeline.results.name("explanations")}" '
        "WHERE feature = 'price' AND share > 0.5"
    )
    assert count.to_pylist() == [{"n": 1}]


def test_only_the_last_run_of_a_partition_is_kept_in_the_table(pipeline: Pipeline) -> None:
    before = _rows(pipeline)
    pipeline.train("s1", run_id="second")
    pipeline.train("s1", run_id="second")
    after = _rows(pipeline)
    assert len(after) == len(before)
    assert {row["run_id"] for row in after} == {"second"}


def test_a_champion_is_explained_by_its_own_file(pipeline: Pipeline) -> None:
    found = _read(pipeline)
    assert found.origin == "v1 of training; no version is champion"
    pipeline.promote("s1")
    pipeline.train("s1", run_id="second")

    champion = _read(pipeline)

    assert (champion.origin, champion.candidate) == ("champion v1", "ridge")
    assert [effect["feature"] for effect in champion.effects] == [
        effect["feature"] for effect in found.effects
    ]
    assert champion.effects[0]["share"] == pytest.approx(found.effects[0]["share"], rel=1e-5)


def test_a_group_without_a_model_and_a_wrong_key_are_errors(pipeline: Pipeline) -> None:
    with pytest.raises(RegistryError, match="ledger says why"):
        _read(pipeline, "store=s2,item=none")
    with pytest.raises(UseCaseError, match="name this use case's columns"):
        _read(pipeline, "shop=s1")


def test_models_of_rows_are_explained_too(
    make_pipeline: Callable[[AnyUseCase], Pipeline], tmp_path: Path
) -> None:
    flights = make_flights()
    made = make_pipeline(flights)
    route = {k: v for k, v in make_route().items() if k in flights.columns}
    made.ingest({("EWR", "SFO"): route})
    made.group("EWR")
    made.train("EWR")

    found = read_explanation(flights, "origin_airport=EWR,dest=SFO", made.champions, made.results)

    assert found.candidate == "logistic"
    assert (found.effects[0]["feature"], found.effects[0]["class_name"]) == ("wind", "on time")
    assert found.effects[0]["value"] < 0
