"""Training every group: shards through mapInPandas, against applyInPandas group by group.

Both call the same ``train_shard`` on the same simulated sales; the models' SHA-256 are compared before any
time is. The rival is what tutorials do: Spark shuffles at every training, and one Python call serves one
group.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from report import measure, parse_arguments, print_report

from many_models.adapters.arrow_files import read_parquet
from many_models.adapters.lake_tables import Lake
from many_models.adapters.shard_work import train_task
from many_models.adapters.spark_grouping import read_table
from many_models.adapters.spark_session import start_session
from many_models.adapters.spark_shards import Progress, run_tasks
from many_models.core.lake_schema import WINDOW, raw_columns
from many_models.core.simulation import SimulatedSales
from many_models.core.training import train_shard
from many_models.core.use_case import UseCase
from many_models.core.use_case_file import parse_use_case
from many_models.steps.group import group_partitions, read_shards

USE_CASE = """
name: benchmark
source: {{url: none, table: sales, start: 2023-01-01}}
keys: [store_id, item_id]
partitioning: {{hash: 8}}
time: {{column: date, frequency: D}}
target: sales
horizon: 28
gaps: zero
features: {{known: [price, promotion]}}
candidates: [{candidates}]
"""


def fill_lake(use_case: UseCase, lake: Lake, sales: SimulatedSales) -> None:
    """Write the simulated sales to ``raw_data``, without a database in between."""
    schema = raw_columns(use_case)
    batches = (pa.table(batch).select(schema.names).cast(schema) for batch in sales.reader())
    flat = (piece for table in batches for piece in table.to_batches())
    reader = pa.RecordBatchReader.from_batches(schema, flat)
    lake.raw_data(use_case).replace("all", reader, run_id=WINDOW)


def main() -> None:
    sizes = parse_arguments(__doc__ or "", stores=20, items=20, days=400, rounds=3)
    sales = SimulatedSales(sizes.stores, sizes.items, sizes.days)
    spark = start_session("local[*]", {})
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        rivals: dict[str, Callable[[], int]] = {}
        for candidates in ("seasonal_naive, ridge", "seasonal_naive, ridge, gradient_boosting"):
            use_case = parse_use_case(USE_CASE.format(candidates=candidates), name="benchmark")
            fill_lake(use_case, lake, sales)
            partitions = [f"hash-{bucket}" for bucket in range(8)]
            group_partitions(use_case, partitions, spark, lake, "benchmark")
            shards = read_shards(use_case, lake)

            def by_shard(use_case: UseCase = use_case) -> dict[str, str]:
                scratch = str(Path(folder, "scratch"))
                work = partial(train_task, use_case=use_case, folder=scratch)
                progress = Progress("trained", sales.groups)
                done = run_tasks(spark, shards, work, lambda shard: shard.groups, progress)
                tables = [read_parquet(shard.path) for shard in done]
                return _digests(pa.concat_tables(tables).to_pandas())

            def by_group(use_case: UseCase = use_case) -> dict[str, str]:
                through = np.datetime64(shards[0].data_through)
                schema = raw_columns(use_case)

                def train(frame: pd.DataFrame) -> pd.DataFrame:
                    ordered = frame.sort_values(use_case.time.column)
                    table = pa.Table.from_pandas(ordered, schema=schema, preserve_index=False)
                    trained = train_shard(table, use_case, partition="", trained_through=through)
                    return trained.select(["group_key", "payload_sha256", "payload"]).to_pandas()

                rows = read_table(spark, lake.raw_data(use_case)).groupBy(*use_case.keys)
                columns = "group_key string, payload_sha256 string, payload binary"
                return _digests(rows.applyInPandas(train, columns).toPandas())

            if by_shard() != by_group():  # also warms both up
                raise SystemExit("the rivals made different models")
            rivals[f"shards through mapInPandas ({candidates})"] = lambda f=by_shard: len(f())
            rivals[f"applyInPandas ({candidates})"] = lambda f=by_group: len(f())
        cases = measure(rivals, sizes.rounds)
    ratios = {
        f"{cases[i].name} is so many times faster": cases[i + 1].seconds / cases[i].seconds
        for i in (0, 2)
    }
    print_report("training", cases, ratios, sizes.json)


def _digests(rows: pd.DataFrame) -> dict[str, str]:
    return dict(zip(rows["group_key"], rows["payload_sha256"], strict=True))


if __name__ == "__main__":
    main()
