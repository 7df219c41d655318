"""Reading and writing results: every view's typical query, and one origin, in both databases.

A store of ``--groups`` groups in a hundred partitions, with ``--origins`` forecast origins of
``--horizon`` days, all of them judged, and a ledger of ``--trainings`` training runs. What is asked
of each view stands in its declaration. Every query must end within a second.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from report import Case, measure, parse_arguments, print_report

from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.fact_schemas import (
    drift_schema,
    ledger_schema,
    retraining_schema,
    verdict_schema,
)
from many_models.steps.results import Results, open_results
from many_models_tests.conftest import running_postgres
from many_models_tests.fakes import make_use_case

FIRST = datetime(2024, 1, 1)
PARTITIONS = 100
SECONDS_MAX = 1.0
SEARCHES = {
    "search of groups by text": 'SELECT group_key, "partition" FROM "{groups}" '
    "WHERE LOWER(group_key) LIKE '%item=0001%' ORDER BY group_key LIMIT 50",
    "ledger of a group over runs": 'SELECT * FROM "{ledger}" WHERE group_key = :group_key '
    "ORDER BY trained_at DESC",
    "predictions of a group over origins": 'SELECT * FROM "{predictions}" '
    "WHERE group_key = :group_key",
    "a partition at an origin": 'SELECT * FROM "{forecast_vs_actual}" '
    'WHERE origin = :origin AND "partition" = :partition',
    "latest origin": 'SELECT MAX(origin) AS origin FROM "{predictions}"',
}


def group_rows(groups: int) -> dict[str, np.ndarray]:
    """Keys of all groups, partition by partition."""
    stores = np.arange(groups) % PARTITIONS
    order = np.argsort(stores, kind="stable")
    store = np.array([f"s{number:03}" for number in stores])[order]
    item = np.array([f"{number // PARTITIONS:04}" for number in range(groups)])[order]
    key = np.array([f"store={s},item={i}" for s, i in zip(store, item, strict=True)])
    return {"partition": store, "group_key": key, "store": store, "item": item}


def as_table(columns: Mapping[str, object], schema: pa.Schema) -> pa.Table:
    """The columns in a schema; those that are not given are null."""
    count = len(next(iter(columns.values())))  # type: ignore[arg-type]
    arrays = [
        pa.array(columns[field.name], field.type, from_pandas=True)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def write_origin(results: Results, sizes: argparse.Namespace, number: int) -> int:
    """Predictions and scoring of an origin as scoring writes them, then their accuracy."""
    rng = np.random.default_rng(number)
    keys, horizon = group_rows(sizes.groups), sizes.horizon
    origin = np.datetime64(FIRST + timedelta(days=number), "us")
    rows = sizes.groups * horizon
    ahead = np.tile(np.arange(1, horizon + 1), sizes.groups)
    prediction = rng.gamma(2.0, 5.0, rows)
    actual = np.round(prediction * rng.lognormal(0, 0.3, rows))
    models = np.array([f"sales.{key}" for key in keys["group_key"]])
    columns = {
        **{name: np.repeat(values, horizon) for name, values in keys.items()},
        "origin": np.full(rows, origin),
        "time": origin + ahead.astype("timedelta64[D]"),
        "periods_ahead": ahead,
        "prediction": prediction,
        "lower": prediction * 0.5,
        "upper": prediction * 1.5,
        "source": np.full(rows, "model"),
        "candidate": np.full(rows, "ridge"),
        "model_name": np.repeat(models, horizon),
        "model_version": np.full(rows, 1 + number // 7),
        "actual": actual,
        "deviation": prediction - actual,
        "covered": ((prediction * 0.5 <= actual) & (actual <= prediction * 1.5)).astype(int),
    }
    scoring = {**keys, "origin": np.full(sizes.groups, origin), "source": ["model"] * sizes.groups}
    where, schema = {"origin": str(origin.item())}, partial(_schema, results)
    results.replace_all(
        {
            "predictions": (as_table(columns, schema("predictions")), where),
            "scoring": (as_table(scoring, schema("scoring")), where),
        }
    )
    results.replace("accuracy", as_table(columns, schema("accuracy")), where)
    return rows


def _schema(results: Results, suffix: str) -> pa.Schema:
    return results.declaration.table(suffix).schema


def write_training(
    results: Results, use_case: UseCase, sizes: argparse.Namespace, run: int
) -> None:
    """A training run of all groups: ledger, verdicts, and a request for each partition."""
    keys, rng = group_rows(sizes.groups), np.random.default_rng(run)
    at = FIRST + timedelta(days=7 * run)
    score = rng.gamma(4, 0.2, sizes.groups)
    names = sorted(set(keys["partition"].tolist()))
    usual = {
        **keys,
        "run_id": [f"run-{run}"] * sizes.groups,
        "trained_at": [at] * sizes.groups,
        "model_name": [f"sales.{key}" for key in keys["group_key"]],
        "model_version": [run + 1] * sizes.groups,
        "candidate": ["ridge", "theta"] * (sizes.groups // 2),
        "score": score,
        "baseline_score": score * 1.1,
    }
    ledger = {
        **usual,
        "status": ["trained"] * sizes.groups,
        "first_time": [FIRST] * sizes.groups,
        "last_time": [at] * sizes.groups,
        "observations": [400] * sizes.groups,
        "core_seconds": rng.gamma(2, 0.1, sizes.groups),
        "payload_bytes": [20_000] * sizes.groups,
        "candidate_scores": ['{"ridge": 0.71234567, "theta": 0.8123, "naive": 1.0}'] * sizes.groups,
    }
    verdicts = {**usual, "qualified": [True] * sizes.groups, "accepted": [True] * sizes.groups}
    where = {"run_id": f"run-{run}", "partition": names}
    results.replace("ledger", as_table(ledger, ledger_schema(use_case)), where)
    results.replace("verdicts", as_table(verdicts, verdict_schema(use_case)), where)
    requests = {
        "request_id": [f"request-{run}"] * len(names),
        "partition": names,
        "reason": ["age"] * len(names),
        "requested_at": [at] * len(names),
        "outcome": ["trained"] * len(names),
        "trained": [100] * len(names),
        "promoted": [40] * len(names),
    }
    request_id = {"request_id": f"request-{run}"}
    results.replace("retraining", as_table(requests, retraining_schema()), request_id)


def write_champions(results: Results, use_case: UseCase, sizes: argparse.Namespace) -> None:
    """Every group's champions, one a training run, and their drift."""
    keys = group_rows(sizes.groups)
    names = sorted(set(keys["partition"].tolist()))
    every = sizes.trainings
    version = np.tile(np.arange(1, every + 1), sizes.groups)
    models = np.array([f"sales.{key}" for key in keys["group_key"]])
    champions = {
        **{name: np.repeat(values, every) for name, values in keys.items()},
        "model_name": np.repeat(models, every),
        "model_version": version,
        "candidate": np.full(len(version), "ridge"),
        "score": np.full(len(version), 0.7),
        "replaces": pa.array(version - 1, mask=version == 1),
        "is_champion": version == every,
    }
    drift = {
        **keys,
        "model_name": models,
        "judged": np.full(sizes.groups, 28),
        "promised": np.full(sizes.groups, 1.0),
        "error": np.full(sizes.groups, 1.1),
        "excess": np.full(sizes.groups, 0.1),
        "drifted": np.arange(sizes.groups) % 10 == 0,
        "shifted": np.arange(sizes.groups) % 20 == 0,
        "stale": np.arange(sizes.groups) % 30 == 0,
    }
    where = {"partition": names}
    results.replace("champions", as_table(champions, _schema(results, "champions")), where)
    results.replace("drift", as_table(drift, drift_schema(use_case)), where)


def queries(
    results: Results, sizes: argparse.Namespace, database: str
) -> dict[str, Callable[[], int]]:
    """Each view's typical query and what pages look up, of another group and origin each time."""
    declared = {view.suffix: view.query for view in results.declaration.views}
    parts = (*results.declaration.tables, *results.declaration.views)
    named = {part.suffix: results.name(part.suffix) for part in parts}
    asked = declared | {name: sql.format(**named) for name, sql in SEARCHES.items()}
    chance, keys = random.Random(7), group_rows(sizes.groups)

    def ask(sql: str) -> int:
        group = chance.randrange(sizes.groups)
        values = {
            "group_key": str(keys["group_key"][group]),
            "partition": str(keys["partition"][group]),
            "origin": FIRST + timedelta(days=chance.randrange(sizes.origins)),
        }
        given = {name: value for name, value in values.items() if f":{name}" in sql}
        rows = results.store.query(sql, given).num_rows
        assert rows, f"nothing found by {sql}"
        return rows

    return {f"{name}, {database}": partial(ask, sql) for name, sql in asked.items()}


def fill(results: Results, use_case: UseCase, sizes: argparse.Namespace) -> None:
    for run in range(sizes.trainings):
        write_training(results, use_case, sizes, run)
    write_champions(results, use_case, sizes)
    pooled = {"run_id": ["run-0"], "partition": ["s000"], "trained_at": [FIRST], "groups": [100]}
    table = as_table(pooled, _schema(results, "pooled"))
    results.replace("pooled", table, {"run_id": "run-0"})
    for number in range(sizes.origins):
        write_origin(results, sizes, number)


def main() -> None:
    sizes = parse_arguments(
        __doc__ or "", groups=10_000, horizon=28, origins=30, trainings=5, rounds=5
    )
    use_case = make_use_case(name="sales", horizon=sizes.horizon)
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as folder, running_postgres(fsync=True) as server:
        urls = {
            "SQLite": f"sqlite:///{Path(folder)}/results.db",
            "PostgreSQL": server.url("postgres"),
        }
        asked: dict[str, Callable[[], int]] = {}
        writing: dict[str, Callable[[], int]] = {}
        for database, url in urls.items():
            results = open_results(url, use_case)
            fill(results, use_case, sizes)
            if database == "PostgreSQL":
                server.execute("VACUUM ANALYZE")  # as autovacuum does within minutes
            asked |= queries(results, sizes, database)
            last = sizes.origins - 1
            writing[f"write one origin, {database}"] = partial(write_origin, results, sizes, last)
        cases += measure(asked, sizes.rounds)
        cases += measure(writing, 3)
    slow = [case.name for case in cases if case.name in asked and case.seconds_max > SECONDS_MAX]
    figures = {
        "slowest query, seconds": max(case.seconds_max for case in cases if case.name in asked),
        f"queries above {SECONDS_MAX:g} s": len(slow),
    }
    print_report("results", cases, figures, sizes.json)
    if slow:
        raise SystemExit(f"above {SECONDS_MAX:g} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
