from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from many_models.core.forecast.use_case import UseCase
from many_models.steps.forecast_review import EXAMPLES, Coverage, count_coverage, select_examples
from many_models_tests.fakes import Columns, make_series, make_use_case
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case()
ORIGIN = datetime(2024, 2, 10)


@pytest.fixture
def scored(make_pipeline: Callable[[UseCase], Pipeline]) -> Pipeline:
    """Six groups with 41 days of sales at the origin (and ten after it), one without any."""
    pipeline = make_pipeline(USE_CASE)
    groups: dict[tuple[str, ...], Columns] = {
        ("s1", f"i{n}"): make_series(USE_CASE, "2024-01-01", [n + 1.0] * 51) for n in range(6)
    }
    groups["s'2", "none"] = make_series(USE_CASE, "2024-02-15", [None])
    pipeline.ingest(groups)
    pipeline.group("s1", "s'2")
    pipeline.score(ORIGIN)
    return pipeline


def _change(pipeline: Pipeline, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    results = pipeline.results
    rows = results.store.query(f'SELECT * FROM "{results.name(table)}"')
    results.replace(table, change(rows), {"origin": str(ORIGIN)})


def _coverage(pipeline: Pipeline) -> Coverage:
    return count_coverage(USE_CASE, ORIGIN, pipeline.lake, pipeline.results)


def test_coverage_holds_when_every_group_is_forecast_or_explained(scored: Pipeline) -> None:
    found = _coverage(scored)
    assert found == Coverage(
        groups=7,
        scoring_rows=7,
        scored_groups=7,
        forecast_groups=6,
        unserved_groups=1,
        prediction_rows=42,
        horizon=7,
    )
    assert found.holds
    assert found.text.startswith("6 of 7 groups have 7 periods of forecast; 1 have a row")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("predictions", lambda rows: rows.slice(1)),
        ("predictions", lambda rows: rows.filter(pc.not_equal(rows["item"], "i3"))),
        ("predictions", lambda rows: pa.concat_tables([rows, rows.slice(0, 1)])),
        ("scoring", lambda rows: rows.slice(1)),
        ("scoring", lambda rows: pa.concat_tables([rows.slice(1), rows.slice(1, 1)])),
    ],
)
def test_coverage_does_not_hold_when_rows_are_missing_or_doubled(
    scored: Pipeline, table: str, change: Callable[[pa.Table], pa.Table]
) -> None:
    _change(scored, table, change)
    assert not _coverage(scored).holds


def test_examples_are_the_largest_forecasts_by_a_model_with_what_is_known(
    scored: Pipeline,
) -> None:
    def served_by_models(rows: pa.Table) -> pa.Table:
        source = pa.array(
            ["baseline" if item == "i5" else "model" for item in rows["item"].to_pylist()]
        )
        return rows.set_column(rows.schema.get_field_index("source"), "source", source)

    assert select_examples(USE_CASE, ORIGIN, scored.lake, scored.results) == []
    _change(scored, "predictions", served_by_models)

    found = select_examples(USE_CASE, ORIGIN, scored.lake, scored.results)

    assert [example.title for example in found] == [f"store=s1,item=i{n}" for n in (1, 2, 3, 4)]
    assert len(found) == EXAMPLES
    for number, example in enumerate(found, start=1):
        assert example.forecast is not None
        assert set(example.forecast.prediction) == set(example.actual.values) == {number + 1.0}
        days = (example.forecast.times - np.datetime64(ORIGIN)) / np.timedelta64(1, "D")
        assert days.tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert example.actual.times[-1] == np.datetime64(ORIGIN + timedelta(days=7))
        assert len(example.actual.values) == 28
