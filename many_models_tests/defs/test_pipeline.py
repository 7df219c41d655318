"""A use case's whole pipeline: how it is put together, and once for real with Spark and MLflow."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.core.use_case import AnyUseCase
from many_models.defs.launch import Launcher
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_champions, build_registry, build_resources
from many_models.steps.promote import find_unqualified
from many_models.steps.results import Results, open_results
from many_models.steps.status import read_status
from many_models_tests.core.tabular.rows import make_flights, make_route
from many_models_tests.defs.conftest import Shop, Statuses
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import count_rows, find_undocumented
from many_models_tests.tables import write_table

STAGES = ["raw_data", "grouped_datasets", "trained_models", "promoted_models", "predictions"]
ASSETS = [*STAGES, "forecast_accuracy", "model_drift"]


def test_two_use_cases_live_side_by_side() -> None:
    definitions = dg.Definitions.merge(
        *(build_many_models_defs(make_use_case(name=name)) for name in ("food", "drinks")),
        dg.Definitions(resources=build_resources()),
    )
    dg.Definitions.validate_loadable(definitions)
    keys = {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {f"{name}/{asset}" for name in ("food", "drinks") for asset in ASSETS}


def test_building_a_pipeline_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    build_many_models_defs(make_use_case())
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.spark
@pytest.mark.mlflow
def test_a_real_pipeline_trains_promotes_and_forecasts_every_group(
    home: Path,
    shop: Shop,
    instance: dg.DagsterInstance,
    spark: SparkSession,
    statuses: Statuses,
) -> None:
    use_case = shop.use_case(candidates=["seasonal_naive", "ridge"], validation={"folds": 2})
    shop.execute("UPDATE sales SET sold = sold + (CAST(STRFTIME('%d', date) AS INT) * 7 % 5) / 9.0")
    shop.fill(["c"], "2024-03-31", 1, ["jam"])  # a group with one row

    report = Launcher(use_case, instance).run()

    results = open_results(f"sqlite:///{home}/results.db", use_case)
    production = build_registry(
        use_case,
        "production",
        {
            settings.PRODUCTION_REGISTRY: f"sqlite:///{home}/registry/production/mlflow.db",
            settings.PRODUCTION_ARTIFACTS: f"{home}/registry/production/artifacts",
        },
    )
    status = read_status(results, production)
    assert report.broken == []
    assert (status.groups, status.trained, status.skipped) == (4, 3, 1)
    assert status.champions == status.promoted > 0
    assert status.predictions == 4 * use_case.horizon
    assert find_undocumented(results) == []
    assert count_rows(results, "groups") == 4
    assert count_rows(results, "champions", "is_champion") == status.champions
    assert count_rows(results, "dates", "year = 2024") == 366
    assert list(status.seconds) == [*STAGES, "model_drift"]
    assert statuses(use_case, "grouped_datasets", "rows_conserved") == dict.fromkeys(
        ["a", "b", "c"], "SUCCEEDED"
    )
    assert statuses(use_case, "promoted_models", "only_qualified") == dict.fromkeys(
        ["a", "b", "c"], "SUCCEEDED"
    )
    _train_twice_at_once(use_case, instance, results)


def _train_twice_at_once(
    use_case: AnyUseCase, instance: dg.DagsterInstance, results: Results
) -> None:
    """A job of ops and one of assets, on a and c and on b and c: all stays consistent."""
    ledger, before = use_case.table("ledger"), results.latest("ledger")["run_id"][0].as_py()
    chosen = [["a", "c"], ["b", "c"]]
    with ThreadPoolExecutor() as threads:
        failed = list(threads.map(Launcher(use_case, instance).train, chosen))
    assert failed == [[], []]
    runs = results.store.query(
        f'SELECT run_id, COUNT(*) AS n, COUNT(DISTINCT group_key) AS k FROM "{ledger}" '
        "WHERE run_id <> :before GROUP BY run_id",
        {"before": before},
    )
    assert [(row["n"], row["k"]) for row in runs.to_pylist()] == [(3, 3), (3, 3)]
    latest, verdicts = results.latest("ledger"), results.latest("verdicts")
    assert len(latest) == 4
    assert set(verdicts["run_id"].to_pylist()) == set(latest["run_id"].to_pylist())
    champions = build_champions(use_case, os.environ)
    keys = ["a", "b", "c"]
    assert find_unqualified(use_case, keys, champions, results) == {key: [] for key in keys}
    lake = Lake(os.environ[settings.LAKE])
    raw, grouped = lake.raw_data(use_case), lake.grouped_datasets(use_case)
    assert grouped.dataset().count_rows() == raw.dataset().count_rows()


LABELLED = 175  # of 200 flights, through 13 February
ROUTES = {("JFK", "LAX"): 200, ("JFK", "SFO"): 200, ("EWR", "LAX"): 200, ("EWR", "SFO"): 45}


def _fly(path: Path) -> str:
    """URL of a database with flights of four routes, the last of which has seen few."""
    frames = []
    for seed, ((origin, dest), count) in enumerate(ROUTES.items()):
        frame = pd.DataFrame(make_route(200, seed)).tail(count)
        for name in ("late", "delay"):
            frame[name] = frame[name].where(frame.index < LABELLED)
        frames.append(frame.assign(origin_airport=origin, dest=dest))
    flights = pd.concat(frames).assign(departs=lambda rows: rows["departs"].astype(str))
    return write_table(path, flights, table="flights")


@pytest.mark.spark
@pytest.mark.mlflow
@pytest.mark.parametrize(
    ("problem", "rules"),
    [("classification", {"min_score": 0.8}), ("regression", {"max_score": 4.0})],
)
def test_a_real_pipeline_of_rows_trains_promotes_and_predicts_every_group(
    problem: str,
    rules: dict[str, float],
    home: Path,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    spark: SparkSession,
    statuses: Statuses,
) -> None:
    url = _fly(tmp_path / "flights.db")
    source = {"url": url, "table": "flights", "window": "monthly", "start": "2024-01-01"}
    use_case = make_flights(
        problem, source={**source, "end": "2024-02-29"}, days_ahead=2, promotion=rules
    )

    report = Launcher(use_case, instance).run()

    results = open_results(f"sqlite:///{home}/results.db", use_case)
    status = read_status(results, build_champions(use_case, os.environ))
    assert report.broken == []
    assert (status.groups, status.trained, status.skipped) == (4, 3, 1)
    assert status.champions == status.promoted == 3
    assert (status.predictions, status.baseline_predictions) == (4 * 8, 8)
    assert status.last_origin == datetime(2024, 2, 13)
    assert find_undocumented(results) == []
    assert list(status.seconds) == [*STAGES, "model_drift"]
    for asset, check in CHECKS:
        found = statuses(use_case, asset, check)
        assert found == dict.fromkeys(["EWR", "JFK"], "SUCCEEDED"), check
    shown = {asset: _latest_metadata(instance, use_case, asset) for asset in STAGES}
    assert (
        f"| {use_case.candidate_names[1]} | 3 |"
        in shown["trained_models"]["ledger_of_all_partitions"]
    )
    assert "too_few_rows" in shown["trained_models"]["ledger_of_all_partitions"]
    assert "baseline" in shown["predictions"]["examples"]


CHECKS = [
    ("grouped_datasets", "rows_conserved"),
    ("trained_models", "ledger_complete"),
    ("trained_models", "promotion_rules"),
    ("promoted_models", "only_qualified"),
]


def _latest_metadata(
    instance: dg.DagsterInstance, use_case: AnyUseCase, asset: str
) -> dict[str, str]:
    event = instance.get_latest_materialization_event(dg.AssetKey([use_case.name, asset]))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    return {name: str(value.value) for name, value in metadata.items()}
