"""What the checks of raw data say, and when windows must be extracted anew."""

from typing import Any

import pytest

from many_models.defs.raw_data import judge_window, source_digest
from many_models.steps.ingest import WindowReport
from many_models_tests.fakes import make_use_case

SOUND: dict[str, Any] = {
    "rows": 100,
    "source_rows": 100,
    "null_keys": 0,
    "duplicates": 0,
    "schema_differences": (),
}


def failures(**differences: Any) -> dict[str, str]:
    results = judge_window(WindowReport(**{**SOUND, **differences}))
    return {name: result.description for name, result in results.items() if not result.passed}


def test_a_sound_window_passes_all_checks() -> None:
    assert failures() == {}


def test_each_result_has_the_numbers_that_its_page_plots() -> None:
    results = judge_window(WindowReport(**{**SOUND, "rows": 95, "null_keys": 2, "duplicates": 3}))
    assert {name: result.metadata for name, result in results.items()} == {
        "schema_as_declared": {},
        "keys_present": {"rows_without_key": 2},
        "no_duplicates": {"duplicates": 3},
        "rows_not_collapsed": {"rows": 95, "source_rows": 100},
    }


def test_an_empty_window_of_an_empty_source_passes() -> None:
    assert failures(rows=0, source_rows=0) == {}


@pytest.mark.parametrize(
    ("differences", "check", "text"),
    [
        ({"null_keys": 2}, "keys_present", "2 rows lack a key"),
        ({"duplicates": 3}, "no_duplicates", "3 rows repeat a key and time"),
        ({"rows": 89}, "rows_not_collapsed", "89 of the source's 100 rows"),
        ({"schema_differences": ("a: b", "c: d")}, "schema_as_declared", "a: b; c: d"),
    ],
)
def test_each_fault_fails_its_own_check(differences: dict[str, Any], check: str, text: str) -> None:
    assert failures(**differences) == {check: text}


def test_some_rows_fewer_than_in_the_source_now_are_no_collapse() -> None:
    assert failures(rows=90) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"source": {"url": "sqlite:///other.db", "table": "sales", "start": "2024-01-01"}},
        {"source": {"url": "sqlite:///sales.db", "table": "others", "start": "2024-01-01"}},
        {"source": {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-02"}},
        {"target": "returned"},
        {"features": {"known": ["price"]}},
        {"time": {"column": "date", "frequency": "MS"}},
    ],
)
def test_another_source_makes_another_digest(fields: dict[str, Any]) -> None:
    assert source_digest(make_use_case(**fields)) != source_digest(make_use_case())


@pytest.mark.parametrize(
    "fields", [{"horizon": 14}, {"promotion": {"min_share": 0.5}}, {"gaps": "missing"}]
)
def test_what_does_not_concern_the_source_leaves_its_digest(fields: dict[str, Any]) -> None:
    assert source_digest(make_use_case(**fields)) == source_digest(make_use_case())
