"""Asset ``forecast_accuracy``: predictions of one origin, a date, beside what happened then."""

from collections.abc import Sequence
from dataclasses import asdict

import dagster as dg

from many_models.core.actuals import accuracy_schema
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, column_schema, describe
from many_models.defs.current_run import CurrentRun
from many_models.defs.partitions import origin_of, origin_windows, windows_of
from many_models.defs.resources import LakeResource, StoreResource
from many_models.steps.group import data_through
from many_models.steps.measure_accuracy import measure_origin
from many_models.steps.results import timed

MEASURED_THROUGH = "measured_through"
"""Metadata of a materialization: the last time of which actuals could be there."""


def build_forecast_accuracy(
    use_case: AnyUseCase, predictions: dg.AssetKey, grouped_datasets: dg.AssetKey
) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "forecast_accuracy"],
        partitions_def=origin_windows(use_case),
        deps=[
            predictions,
            dg.AssetDep(grouped_datasets, partition_mapping=dg.AllPartitionMapping()),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=use_case.name,
        kinds={"sql"},
        description=(
            f"Predictions of {use_case.target} from one date beside the actuals that have come "
            "since, by group and distance from the origin. Materializing it again, once more of "
            "them are in the grouped datasets, replaces it."
        ),
        metadata={"dagster/column_schema": column_schema(accuracy_schema(use_case))},
    )
    def forecast_accuracy(
        context: dg.AssetExecutionContext, lake: LakeResource, store: StoreResource
    ) -> dg.MaterializeResult[None]:
        windows, run = context.partition_keys, CurrentRun.of(context)
        made = make_forecast_accuracy(use_case, windows, run, lake=lake, store=store)
        return describe(context, made)

    return forecast_accuracy


def make_forecast_accuracy(
    use_case: AnyUseCase,
    windows: Sequence[str],
    run: CurrentRun,
    *,
    lake: LakeResource,
    store: StoreResource,
) -> Made:
    """Judge the predictions from the origins of these windows."""
    results, through = store.open(use_case), data_through(use_case, lake.open())
    with timed(results, "forecast_accuracy", run.id) as stage:
        found = {
            window.key: measure_origin(
                use_case, origin_of(use_case, window, through), lake.open(), results
            )
            for window in windows_of(origin_windows(use_case), windows)
        }
        stage.count(partitions=len(found), rows=sum(f.judged for f in found.values()))
    return Made(
        {k: {**asdict(f), "dagster/partition_row_count": f.judged} for k, f in found.items()},
        {MEASURED_THROUGH: through.isoformat()},
    )
