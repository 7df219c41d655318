"""Use cases of the gallery that are simulated, from their YAML to predictions, at tiny size."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from many_models import settings
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.demos import DEMOS, load_demo
from many_models.adapters.sources.simulated import load_simulated_source
from many_models.commands.demo import GALLERY
from many_models.core.sharding import partition_of
from many_models.core.simulation.days import DailySimulation
from many_models.core.simulation.oil_wells import SimulatedWells
from many_models.core.simulation.restaurants import SimulatedRestaurants
from many_models.core.simulation.warehouses import SimulatedWarehouses
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import load_use_case
from many_models.steps.ingest import TimeWindow, find_keys, ingest_windows
from many_models.steps.status import read_status
from many_models_tests.pipelines import Pipeline

TINY: dict[str, tuple[str, DailySimulation]] = {  # the source's table, and what it holds
    "warehouse": ("demand", SimulatedWarehouses(2, 12, days=300)),
    "restaurants": ("covers", SimulatedRestaurants(24, 2, days=434, planned=14, newcomers=0.2)),
    "oil_wells": ("readings", SimulatedWells(24, 2, days=600)),
}
Run = Callable[[str], Pipeline]
Row = dict[str, Any]


def test_every_demo_has_a_use_case_and_a_source() -> None:
    files = {file.stem for file in settings.PACKAGED_USE_CASES.glob("*.yaml")}
    assert set(GALLERY) == set(DEMOS) == files - {"simulated"}
    assert len({demo.layout for demo in DEMOS.values()}) == len(DEMOS)


@pytest.mark.parametrize("name", list(TINY))
def test_the_source_of_a_simulated_demo_is_what_its_use_case_asks_for(
    name: str, tmp_path: Path
) -> None:
    use_case = load_use_case(settings.PACKAGED_USE_CASES / f"{name}.yaml")
    source = load_demo(name, tmp_path / f"{name}.db")
    (table,) = source.rows
    with closing(sqlite3.connect(source.path)) as connection:
        question = f"SELECT MIN(date), MAX(date), COUNT(*) FROM {table}"
        known = f"{question} WHERE {use_case.target} IS NOT NULL"
        (first, _, rows), (_, last, _) = (
            connection.execute(q).fetchone() for q in (question, known)
        )
    ahead = timedelta(days=7 if use_case.problem == "classification" else 0)
    assert first == str(use_case.source.start)
    assert use_case.source.end is not None and last == str(use_case.source.end - ahead)
    assert source.rows == {table: rows}


@pytest.fixture(scope="module")
def run(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path
) -> Run:
    """Function that runs a use case of the gallery on a tiny source."""

    def whole(name: str) -> Pipeline:
        folder = tmp_path_factory.mktemp(name)
        use_case = load_use_case(settings.PACKAGED_USE_CASES / f"{name}.yaml")
        table, simulation = TINY[name]
        url = f"sqlite:///{folder}/source.db"
        load_simulated_source(simulation, url, table=table)
        pipeline = Pipeline.create(folder / "pipeline", use_case, spark, empty_registry_database)
        start, end = (datetime.combine(d, datetime.min.time()) for d in _days(simulation))
        window = TimeWindow("all", start, end)
        origin = end - timedelta(days=1 + use_case.planned_periods)
        ingest_windows(
            use_case, [window], SourceDatabase(url), pipeline.lake, "run",
            over_before=origin + timedelta(days=1),
        )  # fmt: skip
        partitions = _partitions(use_case, pipeline)
        pipeline.group(*partitions)
        pipeline.train(*partitions)
        pipeline.promote(*partitions)
        pipeline.score(origin)
        return pipeline

    return whole


def _days(simulation: DailySimulation) -> tuple[Any, Any]:
    return simulation.start, simulation.end


def _partitions(use_case: AnyUseCase, pipeline: Pipeline) -> list[str]:
    return sorted({partition_of(key, use_case) for key in find_keys(use_case, pipeline.lake)})


def _rows(pipeline: Pipeline, question: str) -> list[Row]:
    """Answer of another client of the database."""
    with closing(sqlite3.connect(pipeline.folder / "results.db")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(question)]


@pytest.mark.spark
@pytest.mark.mlflow
def test_every_product_of_every_warehouse_gets_its_safety_stock(run: Run) -> None:
    pipeline = run("warehouse")
    rows = _rows(pipeline, "SELECT * FROM warehouse_latest_inventory")
    assert len(rows) == len({row["group_key"] for row in rows}) == 24
    assert Counter(row["reason"] for row in rows) == {None: 24}
    assert Counter(row["source"] for row in rows)["model"] > 12
    for row in rows:
        assert 0 <= row["reorder_point"] <= row["order_up_to"]
        assert row["order_up_to"] == pytest.approx(
            row["demand_over_protection"] + row["safety_stock"]
        )
        position = row["on_hand"] + row["on_order"]
        assert row["order_quantity"] == pytest.approx(max(row["order_up_to"] - position, 0))
    status = read_status(pipeline.results, pipeline.champions)
    low = sum(row["order_quantity"] > 0 for row in rows)
    assert (status.with_safety_stock, status.to_be_ordered) == (24, low)
    told = _rows(
        pipeline,
        "SELECT column_name, comment FROM many_models_columns "
        "WHERE table_name = 'warehouse_inventory' ORDER BY position",
    )
    assert [row["column_name"] for row in told] == list(rows[0])
    assert all(row["comment"] for row in told)


@pytest.mark.spark
@pytest.mark.mlflow
def test_restaurants_beat_last_week_and_newcomers_are_served_by_the_pooled_model(run: Run) -> None:
    pipeline = run("restaurants")
    served = _rows(pipeline, "SELECT source, reason FROM restaurants_scoring")
    ledger = _rows(pipeline, "SELECT status, reason, score, baseline_score FROM restaurants_ledger")
    young = sum(row["reason"] == "too_few_observations" for row in ledger)
    trained = [row for row in ledger if row["status"] == "trained"]
    assert 0 < young < 12 and young + len(trained) == len(ledger) == len(served) == 24
    assert sum(row["score"] < 0.8 * row["baseline_score"] for row in trained) > 0.8 * len(trained)
    assert Counter(row["source"] for row in served)["model"] > 0.8 * len(trained)
    assert "none" not in {row["source"] for row in served}


@pytest.mark.spark
@pytest.mark.mlflow
def test_only_wells_that_warn_get_a_champion(run: Run) -> None:
    pipeline = run("oil_wells")
    simulation = TINY["oil_wells"][1]
    first = simulation.table(end=simulation.start + timedelta(days=1)).to_pylist()
    warns = {row["well"]: row["warns"] == 1 for row in first}
    verdicts = _rows(pipeline, "SELECT group_key, accepted FROM oil_wells_verdicts")
    accepted = {row["group_key"].rpartition("=")[2] for row in verdicts if row["accepted"]}
    assert len(verdicts) == 24
    foreseen = [well in accepted for well, warning in warns.items() if warning]
    unforeseen = [well in accepted for well, warning in warns.items() if not warning]
    assert sum(foreseen) > 0.6 * len(foreseen)
    assert sum(unforeseen) <= 0.2 * len(unforeseen)
