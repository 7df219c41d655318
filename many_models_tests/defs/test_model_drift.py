"""What the checks of drift say to an operator, and of what the asset's page tells."""

from datetime import datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from many_models.adapters.charts.series import Forecast, Line, Series
from many_models.core.drift_rules import DriftRules
from many_models.defs import model_drift
from many_models.defs.model_drift import (
    NOBODY,
    build_model_drift,
    describe_rules,
    judge_accuracy,
    judge_age,
    judge_data,
)
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.steps.drift_review import PartitionDrift
from many_models_tests.defs.conftest import Platform, Statuses, drift_row, materialize
from many_models_tests.fakes import make_use_case

RULES = DriftRules()
USE_CASE = make_use_case()


def test_more_than_a_share_of_the_judged_must_drift_for_the_check_to_fail() -> None:
    one, two = (PartitionDrift(groups=20, judged=10, drifted=n, excess=84.0 * n) for n in (1, 2))
    assert judge_accuracy(one, [], RULES).passed
    found = judge_accuracy(two, [drift_row("a", drifted=True)], RULES)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert found.description == (
        "2 of 10 judged champions have drifted (20%; up to 10% may), at a cost of 168 in the "
        "target's unit"
    )
    assert "| a | 2 | 5 | 2.50 | 28 | 84 |" in found.metadata["worst_groups"].value


def test_where_there_is_nothing_to_judge_checks_pass_and_say_so() -> None:
    nobody, young = PartitionDrift(), PartitionDrift(groups=3)
    for found in (
        judge_accuracy(nobody, [], RULES),
        judge_data(nobody, [], USE_CASE),
        judge_age(nobody, [], USE_CASE),
    ):
        assert (found.passed, found.description) == (True, NOBODY)
    unjudged = judge_accuracy(young, [], RULES), judge_data(young, [], USE_CASE)
    assert [(found.passed, found.description) for found in unjudged] == [
        (True, "none of 3 champions could be judged yet"),
        (True, "too little data have come since training"),
    ]


def test_data_and_age_only_warn() -> None:
    drift = PartitionDrift(groups=10, compared=10, shifted=5, stale=1)
    shifted = drift_row("a", shifted=True, target_shift=0.9, feature_shift=None)
    data = judge_data(drift, [{**shifted, "shifted_feature": None}], USE_CASE)
    age = judge_age(drift, [drift_row("a", stale=True)], USE_CASE)
    assert (data.passed, age.passed) == (False, False)
    assert {data.severity, age.severity} == {dg.AssetCheckSeverity.WARN}
    assert "5 of 10 champions" in data.description
    assert "1 of 10 champions have not seen the last 90 days" in age.description


def test_rules_are_told_with_their_numbers() -> None:
    texts = describe_rules(DriftRules(share_max=0.25, error_ratio=2))
    assert texts["accuracy_as_promised"].startswith("At most 25%")
    assert "over 2 times" in texts["accuracy_as_promised"]


def test_the_page_counts_the_champions(
    home: Path, platform: Platform, instance: dg.DagsterInstance
) -> None:
    platform.drifting = {"a"}
    keys = [dg.AssetKey([name]) for name in ("promoted", "grouped", "accuracy")]
    metadata = materialize(build_model_drift(USE_CASE, *keys), instance, "a")
    assert {name: metadata[name] for name in ("groups", "judged", "drifted", "excess")} == {
        "groups": 1,
        "judged": 1,
        "drifted": 1,
        "excess": 84.0,
    }


def test_a_run_checks_each_partition_by_itself(
    home: Path,
    platform: Platform,
    instance: dg.DagsterInstance,
    statuses: Statuses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform.drifting = {"b"}
    days, sold = np.array(["2024-03-01", "2024-03-02"], dtype="datetime64[us]"), np.ones(2)
    shown: list[str] = []

    def show(_: object, row: dict[str, str], __: object) -> Series:
        shown.append(row["group_key"])
        forecast = Forecast(days, sold, sold, sold)
        return Series(row["group_key"], Line(days, sold), forecast, since=datetime(2024, 3, 2))

    monkeypatch.setattr(model_drift, "show_recent", show)
    instance.add_dynamic_partitions("sales_groups", ["a", "b", "c"])
    definitions = dg.Definitions.merge(
        build_many_models_defs(USE_CASE),
        dg.Definitions(resources=build_resources(), executor=dg.in_process_executor),
    )
    tags = {
        "dagster/asset_partition_range_start": "a",
        "dagster/asset_partition_range_end": "c",
    }
    job = definitions.resolve_job_def("sales_drift")
    assert job.execute_in_process(instance=instance, tags=tags).success
    found = statuses(USE_CASE, "model_drift", "accuracy_as_promised")
    assert found == {"a": "SUCCEEDED", "b": "FAILED", "c": "SUCCEEDED"}
    assert set(statuses(USE_CASE, "model_drift", "models_fresh").values()) == {"SUCCEEDED"}
    assert shown == ["b"]
