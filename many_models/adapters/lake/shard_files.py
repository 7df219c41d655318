"""Files of whole datasets: one that cannot be read is told of its partition, and ends nothing."""

from __future__ import annotations

import pyarrow as pa

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.core.sharding import BrokenShard, Shard


def read_shard(shard: Shard) -> pa.Table | BrokenShard:
    """Rows of a shard, or what reading them said."""
    try:
        return read_parquet(shard.path)
    except (OSError, pa.ArrowException) as error:
        text = str(error).splitlines()[0] if str(error) else ""
        return BrokenShard(shard, f"{type(error).__name__}: {text}")
