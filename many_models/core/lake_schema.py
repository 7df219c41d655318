"""Columns of the lake's tables, as a use case makes them."""

from __future__ import annotations

import pyarrow as pa

from many_models.core.use_case import AnyUseCase

WINDOW = "window"
SHARD_COLUMNS = ("partition", "shard", "shard_groups", "data_through")


def raw_columns(use_case: AnyUseCase) -> pa.Schema:
    """Columns that the source gives: keys, names and classes as text, numbers as float64."""
    return pa.schema(
        [
            *((name, pa.string()) for name in use_case.keys),
            (use_case.time.column, pa.timestamp("us")),
            *((name, pa.float64()) for name in use_case.numeric_columns),
            *((name, pa.string()) for name in use_case.text_columns),
        ]
    )


def raw_schema(use_case: AnyUseCase) -> pa.Schema:
    """Table ``raw_data``: the source's columns and the ``window`` they were extracted by."""
    return raw_columns(use_case).append(pa.field(WINDOW, pa.string()))


def grouped_schema(use_case: AnyUseCase) -> pa.Schema:
    """Table ``grouped_datasets``: sorted by key and time within each file, one file a shard.

    ``shard_groups`` is the number of groups in the shard and ``data_through`` the last time with a
    target in all of the raw data (ISO text): both are the same for a whole file.
    """
    columns = raw_columns(use_case)
    for name in SHARD_COLUMNS:
        columns = columns.append(pa.field(name, pa.string()))
    return columns
