from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from many_models.adapters.lake.arrow_files import write_parquet
from many_models.adapters.lake.delta_table import LakeFile
from many_models.adapters.lake.group_histories import GroupHistories
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError
from many_models.core.lake_schema import raw_columns
from many_models_tests.fakes import make_series, make_shard, make_use_case

USE_CASE = make_use_case()


def commit(lake: Lake, sold: float, through: str) -> None:
    """Two shards of store 1: items a and b, and c."""
    table = lake.grouped_datasets(USE_CASE)
    series = make_series(USE_CASE, "2024-01-01", [sold, sold + 1])

    def write(stage: str) -> list[LakeFile]:
        files = []
        for number, items in enumerate((["a", "b"], ["c"])):
            rows = make_shard(USE_CASE, {("1", item): series for item in items})
            path = f"{stage}/{number}.parquet"
            size = write_parquet(rows, table.locate(path))
            told = {"shard": str(number), "shard_groups": "2", "data_through": through}
            nulls = dict.fromkeys(rows.schema.names, 0)
            files.append(LakeFile(path, size, len(rows), {"partition": "1", **told}, nulls))
        return files

    table.replace_files(["1"], write, "run")


def sold(rows: pa.Table) -> list[float]:
    found: list[float] = rows["sold"].to_pylist()
    return found


def test_a_groups_rows_are_found_in_whichever_shard_they_are(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    commit(lake, 5.0, "2024-01-02 00:00:00")
    histories = GroupHistories(USE_CASE, lake)
    for item in "abc":
        found = histories.of(("1", item), "1")
        assert sold(found.rows) == [5.0, 6.0]
        assert set(found.rows["item"].to_pylist()) == {item}
        assert found.rows.schema == raw_columns(USE_CASE)
        assert found.data_through == np.datetime64("2024-01-02")


def test_an_unknown_group_has_no_rows_and_the_same_end_of_data(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    commit(lake, 5.0, "2024-01-02 00:00:00")
    for key in (("1", "new"), ("9", "a")):
        found = GroupHistories(USE_CASE, lake).of(key, key[0])
        assert (len(found.rows), found.data_through) == (0, np.datetime64("2024-01-02"))
        assert found.rows.schema == raw_columns(USE_CASE)


def test_new_data_is_seen_after_the_refresh_time(tmp_path: Path) -> None:
    now = [0.0]
    lake = Lake(str(tmp_path))
    commit(lake, 5.0, "2024-01-02 00:00:00")
    histories = GroupHistories(USE_CASE, lake, refresh_seconds=10, clock=lambda: now[0])
    histories.of(("1", "a"), "1")
    commit(lake, 7.0, "2024-01-03 00:00:00")
    assert sold(histories.of(("1", "a"), "1").rows) == [5.0, 6.0]
    now[0] = 11.0
    found = histories.of(("1", "a"), "1")
    assert (sold(found.rows), found.data_through) == ([7.0, 8.0], np.datetime64("2024-01-03"))


def test_a_lake_without_datasets_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="grouped_datasets"):
        GroupHistories(USE_CASE, Lake(str(tmp_path))).of(("1", "a"), "1")


def test_what_was_read_before_stays_in_use_while_the_lake_is_away(tmp_path: Path) -> None:
    now = [0.0]
    lake = Lake(str(tmp_path / "lake"))
    commit(lake, 5.0, "2024-01-02 00:00:00")
    histories = GroupHistories(USE_CASE, lake, clock=lambda: now[0])
    histories.of(("1", "a"), "1")
    (tmp_path / "lake").rename(tmp_path / "away")
    now[0] = 100.0
    assert sold(histories.of(("1", "b"), "1").rows) == [5.0, 6.0]
    with pytest.raises(LakeError, match="cannot be read"):
        histories.of(("1", "c"), "1")  # in a shard that was not read before


def test_a_lake_that_is_away_is_not_asked_at_every_request(tmp_path: Path) -> None:
    now = [0.0]
    lake = Lake(str(tmp_path))
    histories = GroupHistories(USE_CASE, lake, refresh_seconds=10, clock=lambda: now[0])
    for moment in (0.0, 5.0):
        now[0] = moment
        with pytest.raises(LakeError):
            histories.of(("1", "a"), "1")
        if not moment:
            commit(lake, 5.0, "2024-01-02 00:00:00")
    now[0] = 11.0
    assert len(histories.of(("1", "a"), "1").rows) == 2


def test_datasets_without_a_column_that_was_added_since_are_told_of(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    commit(lake, 5.0, "2024-01-02 00:00:00")
    changed = make_use_case(features={"past": ["stock"]})
    with pytest.raises(LakeError, match=r"lacks stock, .* materialize grouped_datasets"):
        GroupHistories(changed, lake).of(("1", "a"), "1")
