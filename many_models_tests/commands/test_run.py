"""Real runs from the command line: again, after a kill, and on data that is odd."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from many_models import settings
from many_models.adapters.results.store import ResultStore
from many_models.cli import main

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

SIZE = ["--stores", "2", "--items", "3", "--days", "300", "--seed", "5"]
NEW_EACH_RUN = {
    *("run_id", "trained_at", "seconds", "core_seconds", "data_version"),
    *("model_version", "model_run_id", "decided_at", "champion_version"),
}
PROGRESS = re.compile(r" *\d+\.\d s  .+")
FIGURE = re.compile(r"[a-z_ ]+ +([\d,.]+( s)?|\d{4}-\d{2}-\d{2})|")

Tables = dict[str, pd.DataFrame]


def environment(home: Path) -> dict[str, str]:
    environ = {settings.HOME: str(home)}
    settings.fill_environment(environ)
    return environ


def call(home: Path, *arguments: str, exit_code: int = 0) -> Result:
    """A command in this process, which has a Spark already."""
    given = {**environment(home), "DAGSTER_HOME": str(home / "dagster")}
    result = CliRunner(env=given).invoke(main, arguments)
    assert result.exit_code == exit_code, result.output
    return result


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own, in a group that can be killed with all it starts."""
    kept = {name: value for name, value in os.environ.items() if "MANY_MODELS" not in name}
    return subprocess.Popen(
        [sys.executable, "-c", "from many_models.cli import main; main()", *arguments],
        env=kept | {settings.HOME: str(home), settings.SPARK_MASTER: "local[2]"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_tables(home: Path, use_case: str) -> Tables:
    """Ledger, verdicts and predictions as they stand, without what is new in each run."""
    store = ResultStore(f"sqlite:///{home}/results.db")
    queries = {
        "ledger": f'SELECT * FROM "{use_case}_latest_ledger" ORDER BY group_key',
        "verdicts": f'SELECT * FROM "{use_case}_latest_verdicts" ORDER BY group_key',
        "predictions": f'SELECT * FROM "{use_case}_predictions" ORDER BY group_key, time',
    }
    frames = {name: store.query(query).to_pandas() for name, query in queries.items()}
    return {
        name: frame.drop(columns=[c for c in frame.columns if c in NEW_EACH_RUN])
        for name, frame in frames.items()
    }


def assert_same(found: Tables, expected: Tables) -> None:
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name)


def without_champions(tables: Tables) -> Tables:
    """Tables without the comparison with champions, of which a first run has none."""
    verdicts = tables["verdicts"]
    compared = [c for c in verdicts.columns if c.startswith(("champion_", "compared_"))]
    return tables | {"verdicts": verdicts.drop(columns=compared)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A home in which `simulate` and `run simulated` ran, and what the run printed."""
    home = tmp_path_factory.mktemp("finished")
    call(home, "simulate", *SIZE)
    process = start(home, "run", "simulated")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    return home, out, err


@pytest.fixture(scope="module")
def expected(finished: tuple[Path, str, str]) -> Tables:
    return read_tables(finished[0], "simulated")


def test_a_run_prints_its_progress_and_figures_and_nothing_else(
    finished: tuple[Path, str, str],
) -> None:
    _, out, err = finished
    assert err == ""
    lines = out.splitlines()
    progress = [line for line in lines if PROGRESS.fullmatch(line)]
    assert any("trained 6 / 6 groups" in line for line in progress)
    rest = [line for line in lines if line not in progress and not FIGURE.fullmatch(line)]
    assert rest == []


def test_the_status_of_a_finished_run(finished: tuple[Path, str, str], expected: Tables) -> None:
    status = json.loads(call(finished[0], "status", "simulated", "--json").stdout)
    accepted = int(expected["verdicts"]["accepted"].sum())
    assert list(status["seconds"]) == [
        "raw_data",
        "grouped_datasets",
        "trained_models",
        "promoted_models",
        "predictions",
        "model_drift",
    ]
    assert all(seconds >= 0 for seconds in status.pop("seconds").values())
    assert status == {
        "groups": 6,
        "trained": 6,
        "skipped": 0,
        "failed": 0,
        "promoted": accepted,
        "champions": accepted,
        "pooled_models": 0,
        "predictions": 6 * 28,
        "pooled_predictions": 0,
        "baseline_predictions": (6 - accepted) * 28,
        "last_origin": "2023-10-27 00:00:00",
        **dict.fromkeys(("drifted", "shifted", "stale", "being_retrained"), 0),
        **dict.fromkeys(("with_safety_stock", "to_be_ordered")),  # it has no inventory
    }
    assert accepted > 0


def test_the_models_of_a_finished_run(finished: tuple[Path, str, str], expected: Tables) -> None:
    accepted = expected["verdicts"].query("accepted")["model_name"]
    models = json.loads(call(finished[0], "models", "simulated", "--json").stdout)
    assert sorted(model["name"] for model in models) == sorted(accepted)
    printed = call(finished[0], "models", "simulated", "--limit", "1").stdout.splitlines()
    assert len(printed) == 2
    assert printed[-1] == f"1 of {len(accepted)} champions, with mase"


def test_check_finds_all_in_order_after_a_run(
    finished: tuple[Path, str, str], spark: SparkSession
) -> None:
    printed = call(finished[0], "check", "simulated").stdout.splitlines()
    assert [line.split(maxsplit=1)[0] for line in printed] == [*["ok"] * 8, "note"]
    assert spark.range(1).count() == 1


def test_a_second_run_changes_nothing_but_versions_and_times(
    finished: tuple[Path, str, str], expected: Tables, spark: SparkSession
) -> None:
    home = finished[0]
    before = json.loads(call(home, "status", "simulated", "--json").stdout)
    call(home, "run", "simulated")
    after = json.loads(call(home, "status", "simulated", "--json").stdout)
    found = read_tables(home, "simulated")
    assert_same(without_champions(found), without_champions(expected))
    assert {**after, "seconds": 0} == {**before, "seconds": 0}


def test_a_run_that_was_killed_ends_the_same_when_it_runs_again(
    tmp_path: Path, expected: Tables, spark: SparkSession
) -> None:
    call(tmp_path, "simulate", *SIZE)
    process = start(tmp_path, "run", "simulated")
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "trained 6 / 6 groups" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "trained 6 / 6 groups" in seen[-1], seen
    assert json.loads(call(tmp_path, "status", "simulated", "--json").stdout)["champions"] == 0

    call(tmp_path, "run", "simulated")

    assert_same(read_tables(tmp_path, "simulated"), expected)
    with closing(sqlite3.connect(tmp_path / "dagster" / "history" / "runs.db")) as connection:
        (under_way,) = connection.execute(
            "SELECT COUNT(*) FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE')"
        ).fetchone()
    assert under_way == 0


ODD_KEYS = ["a/b:c", 'it\'s "quoted"', "..", "🍎 ü", "x" * 300, " ", "a,b=c%d", "$x^$"]


def odd_rows() -> list[tuple[str, str, str, float | str | None]]:
    """Groups that a company has by accident: each by its item, the odd keys all alike and sound."""
    days = [str(date(2024, 1, 1) + timedelta(day)) for day in range(120)]
    weekly = [10.0 + day % 7 + (day * 37 % 11) / 10 for day in range(120)]
    rows: list[tuple[str, str, str, float | str | None]] = []
    for key in ODD_KEYS:
        rows += [(key, "sound", day, value) for day, value in zip(days, weekly, strict=True)]
    faults: dict[str, list[float | None]] = {
        "constant": [5.0] * 120,
        "zero": [0.0] * 120,
        "infinite": [*weekly[:60], float("inf"), *weekly[61:]],
        "null": [None] * 120,
    }
    for item, values in faults.items():
        rows += [("s", item, day, value) for day, value in zip(days, values, strict=True)]
    return [*rows, ("s", "one row", days[-1], 5.0)]


def test_odd_data_ends_in_rows_of_the_ledger(tmp_path: Path, spark: SparkSession) -> None:
    with closing(sqlite3.connect(tmp_path / "odd.db")) as connection, connection:
        connection.execute("CREATE TABLE sales (store TEXT, item TEXT, date TEXT, sold REAL)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", odd_rows())
    use_case = {
        "name": "odd",
        "source": {
            "url": f"sqlite:///{tmp_path}/odd.db",
            "table": "sales",
            "window": "monthly",
            "start": "2024-01-01",
            "end": "2024-04-29",
        },
        "keys": ["store", "item"],
        "partitioning": {"by": "store"},
        "time": {"column": "date", "frequency": "D"},
        "target": "sold",
        "horizon": 7,
        "gaps": "zero",
        "validation": {"folds": 2},
        "candidates": ["seasonal_naive", "ridge"],
    }
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(use_case))

    call(tmp_path, "run", f"{tmp_path}/odd.yaml")

    ledger = read_tables(tmp_path, "odd")["ledger"]
    endings = {(row.store, row.item): (row.status, row.reason) for row in ledger.itertuples()}
    assert {key: endings[key, "sound"][0] for key in ODD_KEYS} == dict.fromkeys(ODD_KEYS, "trained")
    rest = {item: ending for (store, item), ending in endings.items() if store == "s"}
    assert {item: status for item, (status, _) in rest.items()} == {
        "constant": "skipped",
        "zero": "skipped",
        "infinite": "failed",
        "null": "skipped",
        "one row": "skipped",
    }
    assert all(reason for _, reason in rest.values())
    status = json.loads(call(tmp_path, "status", f"{tmp_path}/odd.yaml", "--json").stdout)
    assert status["groups"] == len(ODD_KEYS) + 5
    assert status["champions"] == len(ODD_KEYS)
