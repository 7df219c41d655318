"""Asset ``predictions``: of every group from one origin, a date, in SQL."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import dagster as dg

from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, describe, results_schema
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt_each, partitions_left
from many_models.defs.partitions import origin_of, origin_windows, windows_of
from many_models.defs.prediction_checks import describe_prediction_checks, judge_predictions
from many_models.defs.resources import (
    SPARK_POOL,
    ChampionsResource,
    LakeResource,
    SparkResource,
    StoreResource,
)
from many_models.defs.results_pages import overview_link
from many_models.steps.group import data_through
from many_models.steps.prediction_review import count_coverage, show_examples
from many_models.steps.results import timed
from many_models.steps.score import score_origin


def build_predictions(
    use_case: AnyUseCase, promoted_models: dg.AssetKey, grouped_datasets: dg.AssetKey
) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "predictions"],
        partitions_def=origin_windows(use_case),
        deps=[
            dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping())
            for key in (promoted_models, grouped_datasets)
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=SPARK_POOL,
        group_name=use_case.name,
        kinds={"spark", "sql"},
        description=(
            f"The next {use_case.periods_ahead} periods of {use_case.target} for every group, as "
            "seen at the end of one date: by the group's champion, found by its tags, by its "
            "partition's pooled model or by the baseline, marked as such."
        ),
        metadata={
            "dagster/column_schema": results_schema(
                use_case, "predictions", shape_of(use_case).prediction_schema(use_case)
            )
        },
    )
    def predictions(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        lake: LakeResource,
        champions: ChampionsResource,
        store: StoreResource,
    ) -> Iterator[Materialized]:
        made = make_predictions(
            use_case,
            context.partition_keys,
            CurrentRun.of(context),
            spark=spark,
            lake=lake,
            champions=champions,
            store=store,
        )
        yield from describe(context, made)

    return predictions


def make_predictions(
    use_case: AnyUseCase,
    windows: Sequence[str],
    run: CurrentRun,
    *,
    spark: SparkResource,
    lake: LakeResource,
    champions: ChampionsResource,
    store: StoreResource,
) -> Made:
    """Forecast every group from the origins of these windows."""
    results, through = store.open(use_case), data_through(use_case, lake.open())
    moments, early = attempt_each(
        {window.key: window for window in windows_of(origin_windows(use_case), windows)},
        lambda window: origin_of(use_case, window, through),
    )
    with timed(results, "predictions", run.id) as stage:
        scored, late = attempt_each(
            moments,
            lambda origin: score_origin(
                use_case,
                origin,
                run.id,
                spark=spark.open(),
                lake=lake.open(),
                production=champions.open(use_case),
                results=results,
            ),
        )
        stage.count(partitions=len(scored), rows=sum(s.rows for s in scored.values()))
    shown = max((moments[key] for key in scored), default=None)
    examples = show_examples(use_case, shown, lake.open(), results) if shown else ""
    return Made(
        {k: {**asdict(s), "dagster/partition_row_count": s.rows} for k, s in scored.items()},
        {"examples": dg.MetadataValue.md(examples), **overview_link(use_case)},
        failed={**early, **late},
    )


def build_predictions_check(use_case: AnyUseCase, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    specs = [
        check_spec(name, asset, origin_windows(use_case), text)
        for name, text in describe_prediction_checks(use_case).items()
    ]

    @dg.multi_asset_check(name=f"{use_case.name}_predictions_check", specs=specs)
    def predictions_check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, store: StoreResource
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        found = check_predictions(use_case, left.keys, lake=lake, store=store)
        yield from yield_results(context, specs, found, lost=left.lost)

    return predictions_check


def check_predictions(
    use_case: AnyUseCase, windows: Sequence[str], *, lake: LakeResource, store: StoreResource
) -> Checked:
    """All checks on the predictions from the origins of these windows."""
    found: dict[str, dict[str, CheckResult]] = defaultdict(dict)
    through, results = data_through(use_case, lake.open()), store.open(use_case)
    for window in windows_of(origin_windows(use_case), windows):
        origin = origin_of(use_case, window, through)
        coverage = count_coverage(use_case, origin, lake.open(), results)
        covered = CheckResult(coverage.holds, coverage.text, asdict(coverage))
        found["every_group_covered"][window.key] = covered
        for name, result in judge_predictions(use_case, origin, lake=lake, results=results).items():
            found[name][window.key] = result
    return found
