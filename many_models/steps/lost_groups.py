"""Groups of shards that cannot be read: who they are, so that none is missing from a ledger.

The manifest says how many they are, the raw data says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from many_models.adapters.lake.tables import Lake
from many_models.core.keys import group_key
from many_models.core.sharding import BrokenShard, partition_of
from many_models.core.use_case import AnyUseCase
from many_models.steps.ingest import find_keys

REASON = "shard_unreadable"

Row = dict[str, object]


def describe_broken(broken: Sequence[BrokenShard]) -> dict[str, str]:
    """What to tell of each partition with broken shards."""
    texts: dict[str, str] = {}
    for shard in broken:
        texts.setdefault(shard.shard.partition, shard.text)
    return texts


def list_lost(
    use_case: AnyUseCase,
    broken: Sequence[BrokenShard],
    found: Iterable[pa.Table],
    lake: Lake,
    ending: Row,
    schema: pa.Schema,
) -> pa.Table:
    """Rows of a ledger for the groups that broken shards keep from being ``found``.

    ``found`` are the ledger's other rows, by ``partition`` and ``group_key``; ``ending`` is
    what a row has besides the reason.
    """
    seen = {key for table in found for key in table["group_key"].to_pylist()}
    texts = describe_broken(broken)
    rows = [
        {**row, "reason": REASON, "error": texts[str(row["partition"])], **ending}
        for row in (_groups_of(use_case, texts, lake) if broken else [])
        if row["group_key"] not in seen
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _groups_of(use_case: AnyUseCase, partitions: Mapping[str, str], lake: Lake) -> Iterator[Row]:
    for values in sorted(find_keys(use_case, lake)):
        partition = partition_of(values, use_case)
        if partition in partitions:
            keys = dict(zip(use_case.keys, values, strict=True))
            yield {"partition": partition, "group_key": group_key(use_case.keys, values), **keys}
