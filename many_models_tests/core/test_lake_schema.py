from __future__ import annotations

import pyarrow as pa

from many_models.core.lake_schema import grouped_schema, raw_columns, raw_schema
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case(features={"known": ["price"], "past": ["visits"], "static": ["region"]})
SOURCE = ["store", "item", "date", "sold", "price", "visits", "region"]


def test_keys_and_static_features_are_text_numbers_are_floats_and_time_has_no_zone() -> None:
    schema = raw_columns(USE_CASE)
    assert schema.names == SOURCE
    text, number, time = pa.string(), pa.float64(), pa.timestamp("us")
    assert schema.types == [text, text, time, number, number, number, text]


def test_raw_data_knows_its_window_and_grouped_datasets_their_shard() -> None:
    assert raw_schema(USE_CASE).names == [*SOURCE, "window"]
    added = ["partition", "shard", "shard_groups", "data_through"]
    assert grouped_schema(USE_CASE).names == [*SOURCE, *added]
