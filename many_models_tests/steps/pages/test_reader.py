"""What pages read: of one moment, page by page, medians as they are defined."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from statistics import median

import pyarrow as pa
import pytest

from many_models.steps.pages.reader import ROWS_A_PAGE, median_sql, open_reader
from many_models.steps.results import Results
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results, put_rows

USE_CASE = make_use_case()
ORIGIN = datetime(2024, 1, 7)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return make_results(tmp_path, USE_CASE)


def put(results: Results, values: list[float | None], source: str = "model") -> None:
    rows = [
        {"store": "s", "item": f"{n:03}", "prediction": value, "source": source}
        for n, value in enumerate(values)
    ]
    schema: pa.Schema = results.declaration.table("predictions").schema
    put_rows(results, "predictions", schema, rows, ORIGIN)


def test_a_page_sees_one_version_of_an_origin_while_another_is_written(results: Results) -> None:
    asked = "SELECT source, COUNT(*) AS n FROM {predictions} GROUP BY source"
    put(results, [1.0] * 100, "model")
    with open_reader(results) as reader:
        before = reader.rows(asked)
        put(results, [2.0] * 70, "pooled")
        assert reader.rows(asked) == before == [{"source": "model", "n": 100}]
    with open_reader(results) as reader:
        assert reader.rows(asked) == [{"source": "pooled", "n": 70}]


def test_a_long_list_comes_page_by_page(results: Results) -> None:
    put(results, [float(n) for n in range(2 * ROWS_A_PAGE + 1)])
    with open_reader(results) as reader:
        select = "SELECT group_key, prediction FROM {predictions}"
        pages = [reader.listing(select, "prediction DESC", page) for page in (1, 2, 3, 4)]
    assert [len(page.rows) for page in pages] == [ROWS_A_PAGE, ROWS_A_PAGE, 1, 0]
    assert {(page.total, page.pages) for page in pages} == {(2 * ROWS_A_PAGE + 1, 3)}
    assert [row["prediction"] for row in pages[2].rows] == [0.0]


@pytest.mark.parametrize("values", [[3.0], [1.0, 2.0], [5.0, 1.0, 9.0], [4.0, 1.0, 2.0, 8.0]])
def test_a_median_is_the_middle_or_the_mean_of_both(results: Results, values: list[float]) -> None:
    put(results, [*values, None])
    with open_reader(results) as reader:
        sql = median_sql("prediction", "{predictions} WHERE prediction IS NOT NULL")
        assert reader.row(sql) == {"median": median(values), "n": len(values)}
        sql = median_sql("prediction", "{predictions} WHERE prediction IS NOT NULL", by="source")
        assert reader.rows(sql) == [{"name": "model", "median": median(values), "n": len(values)}]


def test_of_nothing_there_is_no_median(results: Results) -> None:
    with open_reader(results) as reader:
        assert reader.row(median_sql("prediction", "{predictions}"))["median"] is None
