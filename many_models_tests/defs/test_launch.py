"""Which partitions a command runs; everything after the ingestion is faked, see ``platform``."""

from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError, ManyModelsError, UseCaseError
from many_models.core.forecast.use_case import UseCase
from many_models.defs import due, forecast_accuracy
from many_models.defs.current_run import CurrentRun
from many_models.defs.launch import FailedCheck, Launcher, RunReport, find_ranges
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.steps.ingest import find_partitions
from many_models_tests.defs.conftest import Platform, Shop, Statuses

Instance = dg.DagsterInstance


@pytest.fixture(autouse=True)
def data_ends_with_february(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("due", "predictions"):
        monkeypatch.setattr(
            f"many_models.defs.{module}.data_through", lambda *_: datetime(2024, 2, 29)
        )
    monkeypatch.setattr("many_models.defs.predictions.show_examples", lambda *_: "")


def windows_of_last_run(instance: Instance, use_case: UseCase) -> set[str]:
    run_id = instance.get_runs(dg.RunsFilter(job_name=f"{use_case.name}_ingest"), limit=1)[0].run_id
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return {str(event.dagster_event.partition) for event in events if event.dagster_event}


def groups(use_case: UseCase, instance: Instance) -> list[str]:
    return list(instance.get_dynamic_partitions(f"{use_case.name}_groups"))


def rows(use_case: UseCase, home: Path) -> int:
    return int(Lake(f"{home}/lake").raw_data(use_case).dataset().count_rows())


def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """Let it be ``now``, for what chooses the windows and for what extracts them."""
    monkeypatch.setattr(due, "utc_now", lambda: now)
    monkeypatch.setattr(CurrentRun, "requested_at", now)


def test_the_first_run_ingests_all_windows_and_trains_all_partitions(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    report = Launcher(shop.use_case(), instance).run()
    assert report == RunReport(())
    assert windows_of_last_run(instance, shop.use_case()) == {
        "2024-01-01",
        "2024-02-01",
        "2024-03-01",
    }
    assert rows(shop.use_case(), home) == 3 * 91
    assert platform.trained == [["a", "b", "c"]]
    assert platform.promoted == ["a", "b", "c"]
    assert platform.scored == ["2024-02-29"]


def test_a_second_run_ingests_the_last_window_only(
    home: Path, shop: Shop, instance: Instance
) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    launcher.ingest()
    assert windows_of_last_run(instance, shop.use_case()) == {"2024-03-01"}
    assert rows(shop.use_case(), home) == 3 * 91


def test_refresh_ingests_all_windows_again(home: Path, shop: Shop, instance: Instance) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    shop.execute("DELETE FROM sales WHERE date < '2024-02-01'")
    launcher.ingest(refresh=True)
    assert rows(shop.use_case(), home) == 3 * (91 - 31)


def test_another_end_leaves_the_rows_up_to_it_and_no_others(
    home: Path, shop: Shop, instance: Instance
) -> None:
    for end, days in (
        ("2024-01-15", 15),
        ("2024-02-10", 31 + 10),
        ("2024-03-31", 91),
        ("2024-02-10", 31 + 10),
        ("2024-03-31", 91),
    ):
        use_case = shop.use_case(source={"end": end})
        Launcher(use_case, instance).ingest()
        assert rows(use_case, home) == 3 * days


def test_windows_of_another_length_replace_the_old_ones(
    home: Path, shop: Shop, instance: Instance
) -> None:
    Launcher(shop.use_case(), instance).ingest()
    Launcher(shop.use_case(source={"window": "weekly"}), instance).ingest()
    Launcher(shop.use_case(), instance).ingest()
    assert rows(shop.use_case(), home) == 3 * 91


def test_a_column_that_the_use_case_gains_is_extracted_for_all_windows(
    home: Path, shop: Shop, instance: Instance
) -> None:
    Launcher(shop.use_case(), instance).ingest()
    shop.execute("ALTER TABLE sales ADD COLUMN price REAL DEFAULT 2.5")
    use_case = shop.use_case(features={"known": ["price"]})
    Launcher(use_case, instance).ingest()
    prices = Lake(f"{home}/lake").raw_data(use_case).dataset().to_table(["price"])["price"]
    assert prices.to_pylist() == [2.5] * 3 * 91


def test_an_open_source_grows_day_by_day_and_loses_no_row(
    home: Path, shop: Shop, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = shop.use_case(source={"end": None})
    for now, days in (
        (datetime(2024, 1, 20, 6), 19),
        (datetime(2024, 1, 31, 23), 30),
        (datetime(2024, 2, 1, 0), 31),
        (datetime(2024, 3, 3, 12), 62),
    ):
        clock(monkeypatch, now)
        Launcher(use_case, instance).ingest()
        assert rows(use_case, home) == 3 * days


def test_a_half_window_is_completed_though_a_person_extracted_later_ones(
    home: Path, shop: Shop, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = shop.use_case(source={"end": None})
    clock(monkeypatch, datetime(2024, 1, 20))
    Launcher(use_case, instance).ingest()
    clock(monkeypatch, datetime(2024, 3, 10))
    definitions = dg.Definitions.merge(
        build_many_models_defs(use_case), dg.Definitions(resources=build_resources())
    )
    job = definitions.resolve_job_def("sales_ingest")
    job.execute_in_process(instance=instance, partition_key="2024-03-01")
    assert rows(use_case, home) == 3 * (19 + 9)
    Launcher(use_case, instance).ingest()
    assert rows(use_case, home) == 3 * (31 + 29 + 9)


def test_new_partitions_register_themselves(home: Path, shop: Shop, instance: Instance) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    assert groups(shop.use_case(), instance) == ["a", "b", "c"]
    shop.fill(["d/e"], "2024-03-01", 31, ["tea"])
    launcher.ingest()
    assert groups(shop.use_case(), instance) == ["a", "b", "c", "d/e"]


def test_a_partition_without_data_is_forgotten(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.run()
    shop.execute("DELETE FROM sales WHERE store = 'b'")
    launcher.run(refresh=True)
    assert groups(shop.use_case(), instance) == ["a", "c"]
    assert platform.trained[-1] == ["a", "c"]


def test_another_partitioning_replaces_the_partitions(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    Launcher(shop.use_case(), instance).run()
    hashed = shop.use_case(partitioning={"hash": 2})
    Launcher(hashed, instance).run()
    expected = find_partitions(hashed, Lake(f"{home}/lake"))
    assert groups(hashed, instance) == expected
    assert platform.trained[-1] == expected


def test_partitions_are_one_run_whether_they_are_neighbours_or_not(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    platform.failing = {"a"}
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    failed = launcher.train(["c", "a", "c"])
    assert [(check.name, check.partition) for check in failed] == [("promotion_rules", "a")]
    launcher.train(["b", "a"])
    launcher.train()
    assert platform.trained == [["c", "a"], ["a", "b"], ["a", "b", "c"]]
    jobs = [run.job_name for run in instance.get_runs()]
    assert jobs == ["sales_train", "sales_train", "sales_retrain", "sales_ingest"]


def test_an_unknown_partition_is_refused_before_anything_is_trained(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.ingest()
    with pytest.raises(UseCaseError, match="no partition 'x'; it has a, b, c"):
        launcher.train(["a", "x"])
    assert platform.trained == []


def test_a_partition_whose_models_fail_the_rules_is_withheld_and_its_siblings_go_on(
    home: Path, shop: Shop, instance: Instance, platform: Platform, statuses: Statuses
) -> None:
    platform.failing = {"b"}
    report = Launcher(shop.use_case(), instance).run()
    assert (report.withheld, report.broken) == (["b"], [])
    assert platform.promoted == ["a", "c"]
    assert statuses(shop.use_case(), "trained_models", "promotion_rules") == {
        "a": "SUCCEEDED",
        "b": "FAILED",
        "c": "SUCCEEDED",
    }


def test_a_failed_check_on_the_data_is_no_withheld_promotion(
    home: Path, shop: Shop, instance: Instance
) -> None:
    shop.execute("INSERT INTO sales VALUES ('a', 'tea', '2024-02-02', 1)")
    report = Launcher(shop.use_case(), instance).run()
    text = "1 rows repeat a key and time"
    assert report.broken == [FailedCheck("no_duplicates", "2024-02-01", text)]
    assert report.withheld == []


def test_a_source_without_rows_says_where_to_look(
    home: Path, shop: Shop, instance: Instance
) -> None:
    shop.execute("DELETE FROM sales")
    with pytest.raises(LakeError, match="gave no rows from 2024-01-01 to 2024-03-31"):
        Launcher(shop.use_case(), instance).run()


def test_a_source_that_begins_in_the_future_is_refused(
    home: Path, shop: Shop, instance: Instance
) -> None:
    use_case = shop.use_case(source={"start": "2999-01-01", "end": None})
    with pytest.raises(UseCaseError, match=r"no data yet.*source\.start, 2999-01-01"):
        Launcher(use_case, instance).run()


def test_an_error_of_a_step_comes_out_as_it_is(home: Path, shop: Shop, instance: Instance) -> None:
    use_case = shop.use_case(target="nothing")
    with pytest.raises(ManyModelsError, match="nothing"):
        Launcher(use_case, instance).run()
    (failed,) = instance.get_runs()
    assert failed.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    ("chosen", "ranges"),
    [
        ("", []),
        ("c", [("c", "c")]),
        ("abcde", [("a", "e")]),
        ("eba", [("a", "b"), ("e", "e")]),
        ("ace", [("a", "a"), ("c", "c"), ("e", "e")]),
    ],
)
def test_ranges_hold_what_was_chosen_and_nothing_else(
    chosen: str, ranges: list[tuple[str, str]]
) -> None:
    assert find_ranges("abcde", chosen) == ranges


def test_predictions_are_judged_when_their_actuals_come_and_again_while_more_do(
    home: Path,
    shop: Shop,
    instance: Instance,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launcher = Launcher(shop.use_case(), instance)
    launcher.run()  # a week ahead of the end of February, where the data ends
    assert platform.measured == []

    def measure(through: datetime) -> list[str]:
        platform.measured.clear()
        monkeypatch.setattr(due, "data_through", lambda *_: through)
        monkeypatch.setattr(forecast_accuracy, "data_through", lambda *_: through)
        assert launcher.measure() == []
        return platform.measured

    assert measure(datetime(2024, 3, 1)) == ["2024-02-29"]
    assert measure(datetime(2024, 3, 1)) == []
    assert measure(datetime(2024, 3, 20)) == ["2024-02-29"]
    assert measure(datetime(2024, 3, 25)) == []


def test_a_run_holds_all_champions_against_their_promise(
    home: Path, shop: Shop, instance: Instance, platform: Platform
) -> None:
    platform.drifting = {"b"}
    report = Launcher(shop.use_case(), instance).run(["a", "b"])
    assert platform.drift_measured == [["a", "b"]]
    assert [(found.name, found.partition) for found in report.drifted] == [
        ("accuracy_as_promised", "b")
    ]
    assert report.broken == []
