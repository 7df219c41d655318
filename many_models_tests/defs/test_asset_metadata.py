"""What an asset's page shows of its columns and partitions."""

import dagster as dg
import pyarrow as pa
import pytest

from many_models.defs.asset_metadata import (
    PARTITIONS_DESCRIBED_MAX,
    Made,
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


@pytest.mark.parametrize(("partitions", "described"), [(3, 3), (PARTITIONS_DESCRIBED_MAX + 1, 0)])
def test_partitions_are_described_one_by_one_unless_there_are_very_many(
    instance: dg.DagsterInstance, partitions: int, described: int
) -> None:
    keys = [f"p{number:03}" for number in range(partitions)]

    @dg.asset(
        partitions_def=dg.StaticPartitionsDefinition(keys),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def sales(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        made = {key: {"rows": int(key[1:])} for key in keys}
        return describe(context, Made(made, {"all": 1}, {keys[0]: {"worst": "this"}}))

    tags = {
        "dagster/asset_partition_range_start": keys[0],
        "dagster/asset_partition_range_end": keys[-1],
    }
    dg.materialize([sales], instance=instance, tags=tags)
    records = instance.fetch_materializations(sales.key, limit=1000).records
    found = [record.asset_materialization for record in records]
    rows = {m.partition: m.metadata["rows"].value for m in found if m and "rows" in m.metadata}
    assert len(found) == partitions
    assert rows == {key: int(key[1:]) for key in keys[:described]}
    assert all(m.metadata["all"].value == 1 for m in found if m)
    assert [m.partition for m in found if m and "worst" in m.metadata] == keys[:1]


def test_an_op_tells_of_each_partition_what_an_asset_would() -> None:
    asset = dg.AssetKey("sales")
    made = Made({"a": {"rows": 1}, "b": {"rows": 2}}, {"all": 3}, {"b": {"worst": "this"}})
    found = list(materializations(asset, ["b", "a"], made))
    assert [(m.partition, {n: v.value for n, v in m.metadata.items()}) for m in found] == [
        ("b", {"all": 3, "rows": 2, "worst": "this"}),
        ("a", {"all": 3, "rows": 1}),
    ]
