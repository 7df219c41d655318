"""What an asset's page shows of its columns and partitions."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from many_models.defs.asset_metadata import (
    Made,
    Materialized,
    column_schema,
    describe,
    materializations,
)


def test_columns_are_shown_with_their_types() -> None:
    shown = column_schema(pa.schema([("store", pa.string()), ("sold", pa.float64())]))
    assert [(column.name, column.type) for column in shown.columns] == [
        ("store", "string"),
        ("sold", "double"),
    ]


def test_partitions_are_described_one_by_one(instance: dg.DagsterInstance) -> None:
    keys = [f"p{number:03}" for number in range(3)]

    @dg.asset(
        partitions_def=dg.StaticPartitionsDefinition(keys),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def sales(context: dg.AssetExecutionContext) -> Iterator[Materialized]:
        made = {key: {"rows": int(key[1:])} for key in keys}
        yield from describe(context, Made(made, {"all": 1}, {keys[0]: {"worst": "this"}}))

    tags = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    dg.materialize([sales], instance=instance, tags=tags)
    records = instance.fetch_materializations(sales.key, limit=1000).records
    found = [record.asset_materialization for record in records]
    rows = {m.partition: m.metadata["rows"].value for m in found if m and "rows" in m.metadata}
    assert rows == {key: int(key[1:]) for key in keys}
    assert all(m.metadata["all"].value == 1 for m in found if m)
    assert [m.partition for m in found if m and "worst" in m.metadata] == keys[:1]


def test_an_op_tells_of_each_partition_what_an_asset_would() -> None:
    asset = dg.AssetKey("sales")
    made = Made({"a": {"rows": 1}, "b": {"rows": 2}}, {"all": 3}, {"b": {"worst": "this"}})
    found = list(materializations(asset, ["b", "a"], made))
    assert [(m.partition, [(n, v.value) for n, v in m.metadata.items()]) for m in found] == [
        ("b", [("rows", 2), ("worst", "this"), ("all", 3)]),
        ("a", [("rows", 1), ("all", 3)]),
    ]
