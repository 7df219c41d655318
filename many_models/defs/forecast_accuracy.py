"""Asset ``forecast_accuracy``: predictions of one origin, a date, beside what happened then."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import dagster as dg

from many_models.core.actuals import accuracy_schema
from many_models.core.forecast.use_case import UseCase
from many_models.core.interval_coverage import LevelCoverage, describe_levels
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, describe, results_schema
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    shown_table,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt_each, partitions_left
from many_models.defs.partitions import origin_of, origin_windows, windows_of
from many_models.defs.resources import LakeResource, StoreResource
from many_models.steps.accuracy_review import Judged, Rows, count_judged, measure_coverage
from many_models.steps.group import data_through
from many_models.steps.measure_accuracy import OriginAccuracy, measure_origin
from many_models.steps.results import timed

WARN = dg.AssetCheckSeverity.WARN
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
        metadata={
            "dagster/column_schema": results_schema(use_case, "accuracy", accuracy_schema(use_case))
        },
    )
    def forecast_accuracy(
        context: dg.AssetExecutionContext, lake: LakeResource, store: StoreResource
    ) -> Iterator[Materialized]:
        left, run = partitions_left(context, predictions), CurrentRun.of(context)
        made = make_forecast_accuracy(use_case, left.keys, run, lake=lake, store=store)
        yield from describe(context, made, left.lost)

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
        found, failed = attempt_each(
            {window.key: window for window in windows_of(origin_windows(use_case), windows)},
            lambda window: measure_origin(
                use_case, origin_of(use_case, window, through), lake.open(), results
            ),
        )
        stage.count(partitions=len(found), rows=sum(f.judged for f in found.values()))
    return Made(
        {key: describe_accuracy(figures) for key, figures in found.items()},
        {MEASURED_THROUGH: through.isoformat()},
        failed=failed,
    )


def describe_accuracy(found: OriginAccuracy) -> dict[str, object]:
    """Figures of one origin, without an error where there is none: NaN would break the page."""
    figures = {n: f for n, f in asdict(found).items() if not math.isnan(f)}
    return {**figures, "dagster/partition_row_count": found.judged}


def build_forecast_accuracy_checks(
    use_case: AnyUseCase, asset: dg.AssetKey
) -> dg.AssetChecksDefinition:
    texts = {
        "actuals_complete": (
            "Predictions whose time has come have an actual beside them. When it fails: look in "
            "the source for groups that sent nothing, for targets that are null and for rows that "
            "are there twice; extract those windows again, group, and materialize this date again."
        )
    }
    if isinstance(use_case, UseCase):
        texts["coverage_as_promised"] = (
            f"Intervals cover about the share of actuals that they promise "
            f"({use_case.validation.interval:.0%}), with room for chance. When it fails: too "
            "narrow ones hide a risk, so train the worst groups' partitions again on newer data; "
            "too wide ones are of no use."
        )
    specs = [check_spec(n, asset, origin_windows(use_case), text) for n, text in texts.items()]

    @dg.multi_asset_check(name=f"{use_case.name}_forecast_accuracy_checks", specs=specs)
    def forecast_accuracy_checks(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, store: StoreResource
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        found = check_forecast_accuracy(use_case, left.keys, lake=lake, store=store)
        yield from yield_results(context, specs, found, lost=left.lost)

    return forecast_accuracy_checks


def check_forecast_accuracy(
    use_case: AnyUseCase, windows: Sequence[str], *, lake: LakeResource, store: StoreResource
) -> Checked:
    """All checks on the accuracy of predictions from the origins of these windows."""
    results, through = store.open(use_case), data_through(use_case, lake.open())
    found: dict[str, dict[str, CheckResult]] = defaultdict(dict)
    for window in windows_of(origin_windows(use_case), windows):
        origin = origin_of(use_case, window, through)
        judged = count_judged(use_case, origin, lake.open(), results)
        found["actuals_complete"][window.key] = judge_completeness(judged)
        if isinstance(use_case, UseCase):
            levels, worst = measure_coverage(use_case, origin, results)
            found["coverage_as_promised"][window.key] = judge_coverage(levels, worst)
    return found


def judge_completeness(found: Judged) -> CheckResult:
    """Whether what could be judged was; a warning where not."""
    figures = {"due": found.due, "judged": found.judged, "judged_share": found.share}
    return CheckResult(
        found.holds, found.text, {**figures, **shown_table("worst_groups", found.worst)}, WARN
    )


def judge_coverage(levels: Sequence[LevelCoverage], worst: Rows) -> CheckResult:
    """Whether the intervals of every level cover what they promise; a warning where not."""
    shares = {f"coverage_{100 * level.level:g}": level.coverage for level in levels}
    figures = {name: share for name, share in shares.items() if share is not None}
    holds = all(level.holds for level in levels)
    return CheckResult(
        holds, describe_levels(levels), {**figures, **shown_table("worst_groups", worst)}, WARN
    )
