from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from pyspark.sql import SparkSession

import many_models
from many_models.adapters.registry import tables
from many_models.adapters.registry.packs import split_location
from many_models.core.config_version import config_version
from many_models.core.errors import LakeError
from many_models.core.forecast.ledger import training_schema
from many_models.core.forecast.model import load_model
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key
from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models_tests.fakes import (
    Columns,
    make_series,
    make_use_case,
    noisy_weeks,
    without_rows,
)
from many_models_tests.fakes_crashes import find_faults
from many_models_tests.pipelines import Pipeline
from many_models_tests.spark_cluster import standalone_cluster

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case(features={"known": ["price"], "static": ["region"]})
START, DAYS = "2024-01-01", 100
TOO_LONG = "x" * 100_001  # for a tag of an MLflow model version

# Trains s1 and s2 of the pipeline argv[1] on the master argv[2]. The Python worker that finishes a
# task first is killed before Spark hears of it, so that Spark runs that task again.
ON_A_CLUSTER = """
import os, signal, sys
from pathlib import Path
from many_models.adapters.spark.session import start_session
from many_models.steps import train
from many_models_tests.pipelines import Pipeline

folder, train_task = Path(sys.argv[1]), train.train_task

def die_once(task, **options):
    done = train_task(task, **options)
    try:
        (folder / "died").touch(exist_ok=False)
    except FileExistsError:
        return done
    os.kill(os.getpid(), signal.SIGKILL)

train.train_task = die_once
settings = {"spark.executor.memory": "512m", "spark.driver.host": "127.0.0.1"}
Pipeline.reopen(folder, start_session(sys.argv[2], settings)).train("s1", "s2", run_id="cluster")
"""

# Trains s1 and s2 of the pipeline argv[1]; is killed at the moment argv[2], or by its parent. What
# follows the Spark job does not depend on who ran it, so that a loop stands for Spark there.
KILLED = """
import itertools, os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.spark.session import start_session
from many_models.steps import results, train
from many_models_tests.pipelines import Pipeline

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def two_and_die(*arguments, **options):
    yield from itertools.islice(register(*arguments, **options), 2)
    die()

moment, register = sys.argv[2], MlflowRegistry.register
spark = SimpleNamespace(sparkContext=SimpleNamespace(defaultParallelism=1))
if moment == "while Spark trains":
    spark = start_session("local[1]", {})
else:
    train.run_tasks = lambda spark, tasks, work, groups, progress: [work(task) for task in tasks]
if moment == "before a model is registered":
    MlflowRegistry.register = die
if moment == "while models are registered":
    MlflowRegistry.register = two_and_die
if moment == "before the ledger is written":
    results.Results.replace_all = die
Pipeline.reopen(Path(sys.argv[1]), spark).train("s1", "s2", run_id="killed")
"""


def _series(*targets: float | None, start: str = START) -> Columns:
    count = len(targets)
    prices = [2.0 + day % 3 for day in range(count)]
    return make_series(USE_CASE, start, targets, price=prices, region=["north"] * count)


def _changed(column: str, row: int, value: Any) -> Columns:
    series = _series(*noisy_weeks(DAYS))
    values = list(series[column])
    values[row] = value
    return {**series, column: values}


def _off_grid() -> Columns:
    series = _series(*noisy_weeks(DAYS))
    return {**series, "date": [time.replace(hour=5) for time in series["date"]]}


def _with_gaps() -> Columns:
    return without_rows(_series(*noisy_weeks(DAYS)), [20, 21, 50])


GOOD: dict[tuple[str, ...], Columns] = {
    ("s1", "bread"): _series(*noisy_weeks(DAYS)),
    ("s1", "with gaps"): _with_gaps(),
    ("s1", "some nan"): _changed("sold", 40, float("nan")),
    ("s2", "🥝 'kiwi', 50%"): _series(*noisy_weeks(DAYS, seed=3)),
}
BAD: dict[tuple[str, ...], tuple[Columns, str, str]] = {
    ("s1", "one row"): (_series(3.0), "skipped", "too_few_observations"),
    ("s1", "constant"): (_series(*[4.0] * DAYS), "skipped", "constant_target"),
    ("s1", "all zero"): (_series(*[0.0] * DAYS), "skipped", "constant_target"),
    ("s1", "all nan"): (_series(*[float("nan")] * DAYS), "skipped", "too_few_observations"),
    ("s1", "all null"): (_series(*[None] * DAYS), "skipped", "too_few_observations"),
    ("s1", "inf"): (_changed("sold", 40, float("inf")), "failed", "non_finite_value"),
    ("s1", "inf price"): (_changed("price", 40, float("-inf")), "failed", "non_finite_value"),
    ("s1", "twice"): (_changed("date", 41, _series(1.0)["date"][0]), "failed", "duplicate_time"),
    ("s1", "no time"): (_changed("date", 0, None), "failed", "missing_time"),
    ("s2", "off grid"): (_off_grid(), "failed", "off_grid_time"),
    ("s2", "too few"): (_series(*noisy_weeks(20)), "skipped", "too_few_observations"),
    ("s2", TOO_LONG): (_series(*noisy_weeks(DAYS)), "failed", "registration_failed"),
}
SOURCE = {**GOOD, **{key: series for key, (series, _, _) in BAD.items()}}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path
) -> Pipeline:
    """A pipeline that has trained every kind of group; tests only look at it."""
    folder = tmp_path_factory.mktemp("trained")
    pipeline = Pipeline.create(folder, USE_CASE, spark, empty_registry_database)
    pipeline.ingest(SOURCE)
    pipeline.group("s1", "s2")
    pipeline.train("s1", "s2", run_id="first run")
    return pipeline


def _ledger(pipeline: Pipeline, run_id: str | None = None) -> Rows:
    rows: Rows = pipeline.rows("ledger")
    return [row for row in rows if run_id in (None, row["run_id"])]


def _lasting(rows: Rows) -> Rows:
    """Ledger rows without what is another in each run."""
    passing = {"run_id", "trained_at", "seconds", "core_seconds", "model_version", "model_run_id"}
    return [{name: row[name] for name in row.keys() - passing} for row in rows]


def _explained(pipeline: Pipeline, run_id: str) -> list[tuple[object, ...]]:
    """Effects in the table, each with the key of its group; all are of this run."""
    rows = pipeline.results.store.query(
        f'SELECT * FROM "{pipeline.results.name("explanations")}" ORDER BY group_key, share_rank'
    ).to_pylist()
    models = {(row["model_name"], row["model_version"]) for row in _ledger(pipeline, run_id)}
    assert {(row["model_name"], row["model_version"]) for row in rows} <= models
    assert {row["run_id"] for row in rows} == {run_id}
    return [(row["group_key"], row["feature"], row["value"], row["share"]) for row in rows]


def test_every_group_has_one_row_whatever_happened_to_it(trained: Pipeline) -> None:
    found: dict[tuple[str, ...], dict[str, Any]] = {
        (row["store"], row["item"]): row for row in _ledger(trained)
    }
    assert len(_ledger(trained)) == len(SOURCE)
    endings = {key: (row["status"], row["reason"]) for key, row in found.items()}
    assert endings == {
        **dict.fromkeys(GOOD, ("trained", None)),
        **{key: (status, reason) for key, (_, status, reason) in BAD.items()},
    }
    assert all(found[key]["error"] for key in BAD)
    assert {row["partition"] for row in found.values()} == {"s1", "s2"}
    assert {row["region"] for row in found.values()} == {"north"}


def test_the_ledger_of_a_run_is_what_training_returns(
    trained: Pipeline, make_pipeline: Callable[[UseCase], Pipeline]
) -> None:
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest({key: GOOD[key] for key in list(GOOD)[:1]})
    pipeline.group("s1")
    returned = pipeline.train("s1", run_id="r")
    assert returned.schema == ledger_schema(USE_CASE)
    assert returned.select(["group_key", "model_version", "payload_sha256"]).to_pylist() == [
        {name: row[name] for name in ("group_key", "model_version", "payload_sha256")}
        for row in _ledger(pipeline)
    ]
    stored = {row["group_key"]: row["payload_sha256"] for row in _ledger(trained)}
    assert returned["payload_sha256"][0].as_py() == stored["store=s1,item=bread"]


def test_registry_and_ledger_agree(trained: Pipeline) -> None:
    ledger = {row["model_name"]: row for row in _ledger(trained) if row["status"] == "trained"}
    versions = {version.name: version for version in trained.training.versions(USE_CASE.name)}
    assert versions.keys() == ledger.keys()
    metrics = trained.training.metrics(list(versions.values()))
    for name, version in versions.items():
        row = ledger[name]
        assert (version.version, version.run_id) == (row["model_version"], row["model_run_id"])
        assert metrics[version.run_id]["score"] == row["score"]
        assert metrics[version.run_id]["mase"] == row["mase"]
        record = trained.training.read(version)
        assert record.params["candidate"] == row["candidate"]
        assert load_model(record.payload).key == (row["store"], row["item"])


def test_a_model_carries_every_tag_that_it_is_to_be_found_by(trained: Pipeline) -> None:
    name = "sales.s1.bread"
    (row,) = [row for row in _ledger(trained) if row["model_name"] == name]
    (version,) = [v for v in trained.training.versions(USE_CASE.name) if v.name == name]
    assert version.tags == {
        "store": "s1",
        "item": "bread",
        "region": "north",
        "partition_key": "store=s1,item=bread",
        "partition": "s1",
        "use_case": "sales",
        "candidate": row["candidate"],
        "score": repr(row["score"]),
        "metric": "mase",
        "evaluated_from": "2024-03-20 00:00:00",
        "trained_through": "2024-04-09 00:00:00",
        "data_version": str(trained.lake.grouped_datasets(USE_CASE).snapshot().version),
        "code_version": many_models.__version__,
        "config_version": config_version(USE_CASE),
        "dagster_run_id": "first run",
        "payload_sha256": row["payload_sha256"],
        "artifact_location": version.location,
    }


def test_a_stock_client_loads_a_model_and_forecasts(
    trained: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    import pandas as pd

    monkeypatch.setenv("MLFLOW_TRACKING_URI", trained.training.uri)
    days = pd.date_range("2024-04-10", periods=7)
    model = mlflow.pyfunc.load_model("models:/sales.s1.bread/1")
    forecast = model.predict(pd.DataFrame({"date": days, "price": [2.0] * 7}))
    assert list(forecast.columns) == ["prediction", "lower", "upper"]
    assert forecast["prediction"].between(30, 60).all()


def test_no_payload_comes_to_the_driver(trained: Pipeline) -> None:
    packs = {split_location(v.location)[0] for v in trained.training.versions(USE_CASE.name)}
    assert packs == {path.as_uri() for path in _packs(trained)}
    assert trained.training.writer.pack_folder == _packs(trained)[0].parent.as_uri()
    assert find_faults(trained.training, USE_CASE.name) == []


def _packs(pipeline: Pipeline) -> list[Path]:
    return list((pipeline.folder / "training" / "artifacts" / "packs").iterdir())


def test_mlflows_own_calls_register_the_same_models(
    make_pipeline: Callable[[UseCase], Pipeline],
    trained: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tables, "TESTED_REVISIONS", frozenset({"feedc0ffee00"}))
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest(SOURCE)
    pipeline.group("s1", "s2")

    pipeline.train("s1", "s2", run_id="first run")

    assert pipeline.training.writer.name == "client"
    assert _lasting(_ledger(pipeline)) == _lasting(_ledger(trained))
    found = {v.name: v.tags["payload_sha256"] for v in pipeline.training.versions(USE_CASE.name)}
    theirs = {v.name: v.tags["payload_sha256"] for v in trained.training.versions(USE_CASE.name)}
    assert found == theirs
    signatures = [
        yaml.safe_load(of.training.read(of.training.versions(USE_CASE.name)[0]).files["MLmodel"])
        for of in (pipeline, trained)
    ]
    assert signatures[0]["signature"] == signatures[1]["signature"]


def test_a_cluster_registers_each_model_once_though_a_worker_dies(
    make_pipeline: Callable[[UseCase], Pipeline], trained: Pipeline
) -> None:
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest(SOURCE)
    pipeline.group("s1", "s2")

    with standalone_cluster(pipeline.folder) as master:
        command = [sys.executable, "-c", ON_A_CLUSTER, str(pipeline.folder), master]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)

    assert done.returncode == 0, done.stderr
    assert (pipeline.folder / "died").exists()
    assert _lasting(_ledger(pipeline)) == _lasting(_ledger(trained))
    versions = pipeline.training.versions(USE_CASE.name)
    assert {version.version for version in versions} == {1}
    assert find_faults(pipeline.training, USE_CASE.name) == []
    spoken_of = {split_location(version.location)[0] for version in versions}
    packs = {path.as_uri() for path in _packs(pipeline)}
    assert len(packs - spoken_of) == 1  # of the attempt that died
    assert spoken_of < packs


def test_no_scratch_is_left(trained: Pipeline) -> None:
    assert _scratch(trained) == []


def _scratch(pipeline: Pipeline) -> list[Path]:
    folder = Path(pipeline.lake.root, USE_CASE.name, "scratch")
    return [path for path in folder.glob("*") if not path.name.startswith(".")]


def test_training_a_partition_again_adds_a_run_and_leaves_the_others(
    make_pipeline: Callable[[UseCase], Pipeline],
) -> None:
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest(GOOD)
    pipeline.group("s1", "s2")
    pipeline.train("s1", "s2", run_id="one")
    pipeline.train("s2", run_id="two")
    pipeline.train("s2", run_id="two")  # as Dagster does when it tries a step again
    found = [(row["run_id"], row["item"], row["model_version"]) for row in _ledger(pipeline)]
    kiwi = "🥝 'kiwi', 50%"
    assert sorted(found) == [
        ("one", "bread", 1),
        ("one", "some nan", 1),
        ("one", "with gaps", 1),
        ("one", kiwi, 1),
        ("two", kiwi, 3),
    ]
    latest = pipeline.results.latest("ledger").to_pylist()
    assert sorted((row["run_id"], row["partition"]) for row in latest) == [
        *[("one", "s1")] * 3,
        ("two", "s2"),
    ]
    one, two = _ledger(pipeline, "one")[-1:], _ledger(pipeline, "two")
    assert _lasting(one) == _lasting(two)


def test_partitions_without_datasets_cannot_be_trained(
    make_pipeline: Callable[[UseCase], Pipeline],
) -> None:
    pipeline = make_pipeline(USE_CASE)
    with pytest.raises(LakeError, match="materialize grouped_datasets"):
        pipeline.train("s1")
    pipeline.ingest({("s1", "bread"): GOOD["s1", "bread"]})
    pipeline.group("s1")
    with pytest.raises(LakeError, match="materialize grouped_datasets"):
        pipeline.train("s9")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a training of the pipeline at ``tmp_path`` that is to be killed at some moment."""
    started: list[subprocess.Popen[bytes]] = []

    def run(moment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", KILLED, str(tmp_path), moment]
        with (tmp_path / "killed.log").open("w") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "moment",
    [
        "while Spark trains",
        "before a model is registered",
        "while models are registered",
        "before the ledger is written",
    ],
)
def test_a_training_that_is_killed_ends_the_same_when_it_is_run_again(
    make_pipeline: Callable[[UseCase], Pipeline],
    trained: Pipeline,
    start: Callable[[str], subprocess.Popen[bytes]],
    moment: str,
) -> None:
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest(SOURCE)
    pipeline.group("s1", "s2")
    process = start(moment)
    if moment == "while Spark trains":
        while not list(Path(pipeline.lake.root).rglob("trained-*.parquet")):
            assert process.poll() is None, (pipeline.folder / "killed.log").read_text()
            time.sleep(0.02)
        process.kill()
    assert process.wait() == -signal.SIGKILL, (pipeline.folder / "killed.log").read_text()
    assert pipeline.results.latest("ledger").num_rows == 0
    for name in ("training/mlflow.db", "results.db"):
        if (pipeline.folder / name).exists():
            with closing(sqlite3.connect(pipeline.folder / name)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    assert find_faults(pipeline.training, USE_CASE.name) == []

    pipeline.train("s1", "s2", run_id="again")

    again = _ledger(pipeline, "again")
    assert _lasting(again) == _lasting(_ledger(trained))
    assert _lasting(pipeline.results.latest("ledger").to_pylist()) == _lasting(again)
    found = pipeline.training.versions(USE_CASE.name, {"dagster_run_id": "again"})
    models = {(row["model_name"], row["model_version"]) for row in again if row["model_name"]}
    assert {(version.name, version.version) for version in found} == models
    assert _explained(pipeline, "again") == _explained(trained, "first run")
    assert find_faults(pipeline.training, USE_CASE.name) == []  # nor in what the killed run left
    assert _scratch(pipeline) == []


def test_the_ledger_has_the_columns_of_training_that_are_small() -> None:
    ledger, training = ledger_schema(USE_CASE), training_schema(USE_CASE)
    assert set(training.names) - set(ledger.names) == {"payload", "effects", "backtest", "closeup"}
    assert all(ledger.field(f.name) == f for f in training if f.name in ledger.names)
    assert len(set(ledger.names)) == len(ledger.names)
    assert ledger.field("trained_at").type == pa.timestamp("us")
    assert group_key(USE_CASE.keys, ("s1", "a,b")) == "store=s1,item=a%2Cb"
