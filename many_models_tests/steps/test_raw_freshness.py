from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from many_models.adapters.lake.tables import Lake
from many_models.steps.raw_freshness import newest_target
from many_models_tests.fakes import make_series, make_shard, make_use_case

USE_CASE = make_use_case()
TEA, JAM = ("1", "tea"), ("1", "jam")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """January has sales of two groups, February only plans."""
    lake = Lake(str(tmp_path))
    windows = {
        "2024-01-01": {
            TEA: make_series(USE_CASE, "2024-01-01", [1.0, 2.0, 3.0, None]),
            JAM: make_series(USE_CASE, "2024-01-01", [1.0, None]),
        },
        "2024-02-01": {TEA: make_series(USE_CASE, "2024-02-01", [None, None])},
    }
    for window, groups in windows.items():
        rows = make_shard(USE_CASE, groups)
        lake.raw_data(USE_CASE).replace(window, rows.to_reader(), "run")
    return lake


def test_the_newest_is_the_last_time_with_a_target(lake: Lake) -> None:
    assert newest_target(USE_CASE, lake) == datetime(2024, 1, 3)


def test_a_table_without_any_target_has_none(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows = make_shard(USE_CASE, {TEA: make_series(USE_CASE, "2024-01-01", [None])})
    lake.raw_data(USE_CASE).replace("2024-01-01", rows.to_reader(), "run")
    assert newest_target(USE_CASE, lake) is None
