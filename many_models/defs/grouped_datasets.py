"""Asset ``grouped_datasets``: one dataset per combination of keys, in shards, and its check."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import dagster as dg

from many_models.core.lake_schema import grouped_schema
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, column_schema, describe
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt, partitions_left
from many_models.defs.partitions import group_partitions
from many_models.defs.resources import (
    SPARK_POOL,
    LakeResource,
    SparkResource,
    StoreResource,
)
from many_models.steps import group
from many_models.steps.results import timed


def build_grouped_datasets(use_case: AnyUseCase, raw_data: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "grouped_datasets"],
        partitions_def=group_partitions(use_case),
        deps=[dg.AssetDep(raw_data, partition_mapping=dg.AllPartitionMapping())],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=SPARK_POOL,
        group_name=use_case.name,
        kinds={"spark", "deltalake"},
        description=(
            f"One dataset for each {' x '.join(use_case.keys)}, in time order: Spark shuffles and "
            "sorts the raw data once and writes shards of whole datasets, which training and "
            "scoring read."
        ),
        metadata={"dagster/column_schema": column_schema(grouped_schema(use_case))},
    )
    def grouped_datasets(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        lake: LakeResource,
        store: StoreResource,
    ) -> Iterator[Materialized]:
        keys, run = context.partition_keys, CurrentRun.of(context)
        made = make_grouped_datasets(use_case, keys, run, spark=spark, lake=lake, store=store)
        yield from describe(context, made)

    return grouped_datasets


def make_grouped_datasets(
    use_case: AnyUseCase,
    keys: Sequence[str],
    run: CurrentRun,
    *,
    spark: SparkResource,
    lake: LakeResource,
    store: StoreResource,
) -> Made:
    """Make the datasets of these partitions anew."""
    with timed(store.open(use_case), "grouped_datasets", run.id) as stage:
        found, failed = attempt(
            lambda: group.group_partitions(use_case, keys, spark.open(), lake.open(), run.id)
        )
        stage.count(partitions=len(found), rows=sum(p.rows for p in found.values()))
    return Made(
        {k: {**asdict(p), "dagster/partition_row_count": p.rows} for k, p in found.items()},
        {"groups_of_all_partitions": sum(p.groups for p in found.values())},
        failed=failed,
    )


def build_grouped_datasets_check(
    use_case: AnyUseCase, asset: dg.AssetKey
) -> dg.AssetChecksDefinition:
    partitions = group_partitions(use_case)
    text = (
        "Every group has the rows, targets and target sum that it has in raw_data. When it fails: "
        "raw_data has changed meanwhile, or a file was lost; materialize this partition again."
    )
    specs = [check_spec("rows_conserved", asset, partitions, text)]

    @dg.multi_asset_check(
        name=f"{use_case.name}_grouped_datasets_check", specs=specs, pool=SPARK_POOL
    )
    def grouped_datasets_check(
        context: dg.AssetCheckExecutionContext, spark: SparkResource, lake: LakeResource
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        results = check_grouped_datasets(use_case, left.keys, spark=spark, lake=lake)
        yield from yield_results(context, specs, results, lost=left.lost)

    return grouped_datasets_check


def check_grouped_datasets(
    use_case: AnyUseCase, keys: Sequence[str], *, spark: SparkResource, lake: LakeResource
) -> Checked:
    """Compare these partitions with the raw data."""
    found = group.compare_with_raw(use_case, keys, spark.open(), lake.open())
    results = {
        key: CheckResult(
            c.holds,
            f"{c.grouped_rows} of {c.raw_rows} rows, {c.differing_groups} groups differ",
            asdict(c),
        )
        for key, c in found.items()
    }
    return {"rows_conserved": results}
