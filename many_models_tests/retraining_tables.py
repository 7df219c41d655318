"""What retraining looks at, a few rows each: a manifest, the ledger, drift and verdicts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from many_models.adapters.lake.delta_table import LakeFile
from many_models.adapters.lake.tables import Lake
from many_models.core.result_tables.fact_schemas import drift_schema, ledger_schema
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results

THROUGH = datetime(2024, 4, 30)
"""The last time of the data."""


def put_shards(lake: Lake, use_case: AnyUseCase, groups: dict[str, list[int]]) -> None:
    """Shards of so many groups in the manifest of the grouped datasets."""
    files = [
        LakeFile(
            f"{name}/{number}.parquet",
            1,
            100,
            {
                "partition": name,
                "shard": str(number),
                "shard_groups": str(count),
                "data_through": THROUGH.isoformat(sep=" "),
            },
        )
        for name, counts in groups.items()
        for number, count in enumerate(counts)
    ]
    lake.grouped_datasets(use_case).replace_files(list(groups), lambda _: files, "run")


def put_ledger(
    results: Results,
    partition: str,
    run_id: str,
    at: datetime,
    *rows: dict[str, Any],
    old: bool = False,
) -> None:
    """Rows of a run; an ``old`` ledger has no column ``config_version``."""
    usual = {
        "run_id": run_id,
        "partition": partition,
        "status": "trained",
        "trained_at": at,
        "trained_through": at,
        "core_seconds": 2.0,
        "code_version": "0.9",
        "config_version": "before",
    }
    schema = ledger_schema(results.use_case)
    if old:
        schema = schema.remove(schema.get_field_index("config_version"))
    table = pa.Table.from_pylist([usual | row for row in rows], schema=schema)
    results.replace("ledger", table, {"run_id": run_id, "partition": partition})


def put_drift(
    results: Results,
    partition: str,
    *rows: tuple[datetime, int, bool, float],
    promised: float | None = 1.0,
) -> None:
    """Rows of (trained through, judged, drifted, excess), each measured an hour later."""
    table = pa.Table.from_pylist(
        [
            {
                "partition": partition,
                "trained_through": through,
                "measured_at": THROUGH + timedelta(hours=number),
                "judged": judged,
                "promised": promised,
                "drifted": drifted,
                "excess": excess,
            }
            for number, (through, judged, drifted, excess) in enumerate(rows)
        ],
        schema=drift_schema(results.use_case),
    )
    results.replace("drift", table, {"partition": partition})


def put_verdicts(results: Results, run_id: str, accepted: dict[str, bool]) -> None:
    """Whether the model of each partition's only group goes to production."""
    rows = [
        {"run_id": run_id, "partition": name, "group_key": name, "accepted": ok}
        for name, ok in accepted.items()
    ]
    results.replace("verdicts", pa.Table.from_pylist(rows), {"run_id": run_id})
