from __future__ import annotations

from datetime import datetime

from many_models.steps.drift_tables import accuracy_table, age_table, shift_table


def test_the_table_of_accuracy_sets_the_error_beside_the_promise() -> None:
    row = {"group_key": "store=a|b", "promised": 2.0, "error": 5.0, "judged": 28, "excess": 84.0}
    row |= {"drifted_since": datetime(2024, 3, 1), "candidate": "ridge", "model_version": 3}
    lines = accuracy_table([row, {**row, "promised": 0.0}]).splitlines()
    end = "| 28 | 84 | 2024-03-01 | ridge, version 3 |"
    assert lines[2] == rf"| store=a\|b | 2 | 5 | 2.50 {end}"
    assert lines[3] == rf"| store=a\|b | 0 | 5 | infinite {end}"


def test_the_table_of_data_names_the_feature_that_shifted() -> None:
    row = {"group_key": "k", "target_shift": None, "feature_shift": -1.25, "shifted_feature": "x"}
    assert shift_table([row], "sold").splitlines()[2] == "| k |  | x | -1.25 |"


def test_the_table_of_ages_counts_days() -> None:
    moments = {"trained_through": datetime(2024, 1, 1), "data_through": datetime(2024, 4, 10, 5)}
    table = age_table([{"group_key": "k", "age_days": 100.2, **moments}])
    assert table.splitlines()[2] == "| k | 2024-01-01 | 2024-04-10 05:00:00 | 100 |"
