"""A lake and a result store with a few rows in them, for steps that read back what others wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from many_models.adapters.lake.arrow_files import write_parquet
from many_models.adapters.lake.delta_table import LakeFile
from many_models.adapters.lake.tables import Lake
from many_models.core.keys import group_key
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results, open_results
from many_models_tests.fakes import Columns, make_shard

Row = Mapping[str, Any]


def make_results(folder: Path, use_case: AnyUseCase) -> Results:
    return open_results(f"sqlite:///{folder}/results.db", use_case)


def put_rows(
    results: Results, table: str, schema: pa.Schema, rows: Sequence[Row], origin: object
) -> None:
    """Make these the rows of one origin; what a row lacks is null, and its group key its keys."""
    names = results.use_case.keys
    given = [
        {
            "group_key": group_key(names, tuple(str(row.get(name)) for name in names)),
            "partition": row.get(names[0]),
            "origin": origin,
            **row,
        }
        for row in rows
    ]
    results.replace(table, pa.Table.from_pylist(given, schema=schema), {"origin": str(origin)})


def put_grouped(
    lake: Lake,
    use_case: AnyUseCase,
    partition: str,
    groups: Mapping[Any, Columns],
    data_through: str,
) -> None:
    """Make these groups the only shard of a partition, without Spark."""
    table, rows = lake.grouped_datasets(use_case), make_shard(use_case, groups)

    def write(stage: str) -> list[LakeFile]:
        path = f"{stage}/rows.parquet"
        size = write_parquet(rows.to_reader(), table.locate(path))
        values = (partition, "0", str(len(groups)), data_through)
        folders = dict(zip(table.partition_by, values, strict=True))
        return [LakeFile(path, size, rows.num_rows, folders, {})]

    table.replace_files([partition], write, "run")


def find_undocumented(results: Results) -> list[str]:
    """Columns of a SQLite store, of whatever table or view, that the data dictionary lacks."""
    store = results.store
    told = store.query("SELECT table_name AS t, column_name AS c FROM many_models_columns")
    known = set(zip(told["t"].to_pylist(), told["c"].to_pylist(), strict=True))
    names = store.query("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")["name"]
    there = {(name, column) for name in names.to_pylist() for column in store.columns(name)}
    assert len(there) > 100
    return sorted(f"{name}.{column}" for name, column in there - known)


def count_rows(results: Results, suffix: str, condition: str = "1 = 1") -> int:
    sql = f'SELECT COUNT(*) AS n FROM "{results.name(suffix)}" WHERE {condition}'
    return int(results.store.query(sql)["n"][0].as_py())
