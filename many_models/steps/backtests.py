"""Backtests: what every model of a run forecast of its past, shard by shard into the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.spark.shard_work import TrainedShard
from many_models.core.forecast.folds import backtest_schema, backtest_table
from many_models.core.forecast.use_case import UseCase
from many_models.core.ledger import BACKTEST


def stream_backtests(
    use_case: UseCase, trained: Sequence[TrainedShard], ledgers: Sequence[pa.Table]
) -> pa.RecordBatchReader:
    """Folds of every registered model; ``ledgers`` are the shards' ledger rows."""

    def batches() -> Iterator[pa.RecordBatch]:
        for shard, ledger in zip(trained, ledgers, strict=True):
            registered = pc.equal(ledger["status"], "trained")
            folds = read_parquet(shard.path, [BACKTEST])[BACKTEST].filter(registered)
            if len(folds):
                yield from backtest_table(ledger.filter(registered), folds, use_case).to_batches()

    return pa.RecordBatchReader.from_batches(backtest_schema(use_case), batches())
