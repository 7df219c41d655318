"""Training every group: shards through mapInPandas, against applyInPandas group by group.

Both call the same ``train_shard`` on the same simulated sales; the models' SHA-256 are compared
before any time is. The rival is what tutorials do: Spark shuffles at every training, and one Python
call serves one group.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession
from report import measure, parse_arguments, print_report

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.spark.grouping import read_table
from many_models.adapters.spark.session import start_session
from many_models.adapters.spark.shard_work import train_task
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import WINDOW, raw_columns
from many_models.core.sharding import Shard
from many_models.core.simulation.retailer import SimulatedSales
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

CANDIDATES = {
    "ridge": "seasonal_naive, ridge",
    "ridge and trees": "seasonal_naive, ridge, gradient_boosting",
}
OUTPUT = ["group_key", "payload_sha256", "payload"]


def fill_lake(use_case: UseCase, lake: Lake, sales: SimulatedSales) -> None:
    """Write the simulated sales to ``raw_data``, without a database in between."""
    schema = raw_columns(use_case)
    batches = (pa.table(batch).select(schema.names).cast(schema) for batch in sales.reader())
    flat = (piece for table in batches for piece in table.to_batches())
    reader = pa.RecordBatchReader.from_batches(schema, flat)
    lake.raw_data(use_case).replace("all", reader, run_id=WINDOW)


@dataclass(frozen=True)
class Rivals:
    """Two ways to train the same groups; each returns the models' SHA-256 by composite key."""

    spark: SparkSession
    lake: Lake
    use_case: UseCase
    shards: list[Shard]
    groups: int

    def by_shard(self) -> dict[str, str]:
        with self.lake.scratch(self.use_case, "benchmark") as scratch:
            bundles = run_tasks(
                self.spark,
                [(shard,) for shard in self.shards],
                partial(train_task, use_case=self.use_case, folder=scratch.uri, packing=None),
                lambda bundle: bundle[0].groups,
                Progress("trained", self.groups),
            )
            tables = [read_parquet(shard.path) for done in bundles for shard in done]
        return _digests(pa.concat_tables(tables).to_pandas())

    def by_group(self) -> dict[str, str]:
        use_case, schema = self.use_case, raw_columns(self.use_case)
        through = np.datetime64(self.shards[0].data_through)

        def train(frame: pd.DataFrame) -> pd.DataFrame:
            ordered = frame.sort_values(use_case.time.column)
            table = pa.Table.from_pandas(ordered, schema=schema, preserve_index=False)
            trained = train_shard(table, use_case, partition="", trained_through=through)
            columns: pd.DataFrame = trained.select(OUTPUT).to_pandas()
            return columns

        rows = read_table(self.spark, self.lake.raw_data(use_case)).groupBy(*use_case.keys)
        types = "group_key string, payload_sha256 string, payload binary"
        return _digests(rows.applyInPandas(train, types).toPandas())


def prepare(candidates: str, sales: SimulatedSales, spark: SparkSession, lake: Lake) -> Rivals:
    """Rivals on grouped simulated sales, both warm, and shown to make the same models."""
    use_case = parse_use_case(USE_CASE.format(candidates=candidates), name="benchmark")
    fill_lake(use_case, lake, sales)
    group_partitions(use_case, [f"hash-{n}" for n in range(8)], spark, lake, "benchmark")
    rivals = Rivals(spark, lake, use_case, read_shards(use_case, lake), sales.groups)
    if rivals.by_shard() != rivals.by_group():
        raise SystemExit("the rivals made different models")
    return rivals


def main() -> None:
    sizes = parse_arguments(__doc__ or "", stores=50, items=40, days=400, rounds=3)
    sales = SimulatedSales(sizes.stores, sizes.items, sizes.days)
    spark = start_session("local[*]", {})
    runs: dict[str, Callable[[], int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, candidates in CANDIDATES.items():
            rivals = prepare(candidates, sales, spark, Lake(f"{folder}/{label}"))
            runs[f"{label}: shards by mapInPandas"] = partial(_count, rivals.by_shard)
            runs[f"{label}: groups by applyInPandas"] = partial(_count, rivals.by_group)
        cases = measure(runs, sizes.rounds)
    seconds = {case.name: case.seconds for case in cases}
    ratios = {
        f"{label}: applyInPandas takes so many times as long": (
            seconds[f"{label}: groups by applyInPandas"]
            / seconds[f"{label}: shards by mapInPandas"]
        )
        for label in CANDIDATES
    }
    print_report("training", cases, ratios, sizes.json)


def _count(run: Callable[[], dict[str, str]]) -> int:
    return len(run())


def _digests(rows: pd.DataFrame) -> dict[str, str]:
    return dict(zip(rows["group_key"], rows["payload_sha256"], strict=True))


if __name__ == "__main__":
    main()
