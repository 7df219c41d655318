from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.adapters.lake.arrow_files import write_parquet
from many_models.adapters.spark.shard_work import TrainedShard
from many_models.core.forecast.training import train_shard
from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase
from many_models.steps.training_review import SHOWN, choose_worst, show_worst
from many_models_tests.core.tabular.rows import make_flights, make_route, shard_of
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

USE_CASE = make_use_case(candidates=["seasonal_naive", "mean"])


def _ledger(use_case: AnyUseCase, *scores: tuple[str, str, float]) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {"partition": p, "group_key": key, "status": "trained", "score": s, "baseline_score": 1.0}
        for p, key, s in scores
    ]
    rows.append({"partition": "p", "group_key": "skipped", "status": "skipped"})
    return pa.Table.from_pylist(rows, ledger_schema(use_case))


def _chosen(use_case: AnyUseCase, ledger: pa.Table) -> dict[str, list[str]]:
    found = choose_worst(use_case, ledger)
    return {partition: [row["group_key"] for row in rows] for partition, rows in found.items()}


def test_the_worst_of_a_partition_come_worst_first() -> None:
    scores = [("p", "a", 0.5), ("p", "b", 1.5), ("p", "c", 0.7), ("p", "d", 0.6)]
    assert _chosen(USE_CASE, _ledger(USE_CASE, *scores)) == {"p": ["b", "c", "d"]}
    accuracy = make_flights()
    assert _chosen(accuracy, _ledger(accuracy, *scores)) == {"p": ["a", "d", "c"]}


def test_of_many_partitions_each_has_its_worst_before_any_has_its_second() -> None:
    scores = [(f"p{n}", f"{n}{item}", n + 1 / 2**item) for n in range(4) for item in range(3)]
    found = _chosen(USE_CASE, _ledger(USE_CASE, *scores))
    assert found == {"p3": ["30", "31"], "p2": ["20", "21"], "p1": ["10"], "p0": ["00"]}
    more = [(f"p{n}", f"{n}", float(n)) for n in range(20)]
    assert list(_chosen(USE_CASE, _ledger(USE_CASE, *more))) == [f"p{19 - n}" for n in range(SHOWN)]


def test_a_run_without_models_shows_nothing() -> None:
    ledger = _ledger(USE_CASE)
    assert choose_worst(USE_CASE, ledger) == {}
    assert show_worst(USE_CASE, {}, [], []) == {}


def _trained(use_case: AnyUseCase, table: pa.Table, folder: Path) -> tuple[TrainedShard, pa.Table]:
    path = str(folder / "trained.parquet")
    write_parquet(table, path)
    names = [name for name in ledger_schema(use_case).names if name in table.column_names]
    return TrainedShard("p", path, {}), table.select(names)


def test_forecasts_are_drawn_of_what_training_kept(tmp_path: Path) -> None:
    groups = {
        ("p", item): make_series(USE_CASE, "2024-01-01", noisy_weeks(90, seed))
        for seed, item in enumerate("abcde")
    }
    end = np.datetime64("2024-03-30")
    table = train_shard(make_shard(USE_CASE, groups), USE_CASE, partition="p", trained_through=end)
    shard, ledger = _trained(USE_CASE, table, tmp_path)

    worst = choose_worst(USE_CASE, ledger)
    shown = show_worst(USE_CASE, worst, [shard], [ledger])

    assert len(worst["p"]) == 3
    picture = base64.b64decode(shown["p"].split("base64,")[1][:-1])
    assert int.from_bytes(picture[20:24], "big") > 3 * 150  # so high is one of them


def test_rows_are_shown_as_a_table_of_their_metrics(tmp_path: Path) -> None:
    use_case = make_flights()
    routes = {("EWR", "A|B"): make_route(seed=1), ("EWR", "C"): make_route(seed=2)}
    table = shape_of(use_case).train_shard(
        shard_of(use_case, routes), use_case, partition="EWR", trained_through=np.datetime64("2025")
    )
    shard, ledger = _trained(use_case, table, tmp_path)

    shown = show_worst(use_case, choose_worst(use_case, ledger), [shard], [ledger])

    lines = shown["EWR"].splitlines()
    assert lines[0].startswith("| group_key | candidate | observations | holdout_rows | score |")
    assert "baseline_accuracy" in lines[0]
    assert len(lines) == 4
    assert any("dest=A\\|B | logistic | 200 |" in line for line in lines[2:])
