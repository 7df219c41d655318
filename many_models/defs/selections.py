"""Jobs on any choice of partitions, each in one run and one Spark session.

``<use case>_retrain`` groups, trains, judges and promotes the partitions that its config names.
``<use case>_refresh`` takes in windows of raw data and does all that follows from them on a day:
groups anew what they touch, forecasts from the newest origin, judges earlier predictions and by
these the champions. Whoever starts one (a person, the command line, a schedule, a sensor) makes
its config here.
"""

from collections.abc import Collection, Sequence
from typing import Any

import dagster as dg

from many_models.core.errors import LakeError
from many_models.core.use_case import AnyUseCase
from many_models.defs.current_run import CurrentRun
from many_models.defs.due import due_origins, newest_origins, promoted_partitions, sync_partitions
from many_models.defs.forecast_accuracy import check_forecast_accuracy, make_forecast_accuracy
from many_models.defs.freshness import freshness_op
from many_models.defs.grouped_datasets import check_grouped_datasets, make_grouped_datasets
from many_models.defs.model_drift import check_model_drift, make_model_drift
from many_models.defs.partition_names import NAMES
from many_models.defs.partitions import group_partitions, raw_windows
from many_models.defs.predictions import check_predictions, make_predictions
from many_models.defs.promoted_models import check_promoted_models, make_promoted_models
from many_models.defs.raw_data import check_raw_data, make_raw_data
from many_models.defs.resources import LakeResource
from many_models.defs.stage_ops import Names, check_op, existing, find_op, make_op, op_job
from many_models.defs.trained_models import check_trained_models, make_trained_models
from many_models.steps.ingest import find_partitions


class RetrainConfig(dg.Config):
    """Which partitions to retrain, and the request that this answers, if there was one."""

    partitions: list[str]
    request: str = ""


class RefreshConfig(dg.Config):
    """Which windows of raw data to take in, by their partition keys, such as 2024-01-05."""

    windows: list[str]


def retrain_config(
    use_case: AnyUseCase, partitions: Sequence[str], request: str = ""
) -> dg.RunConfig:
    """Run config of ``<use case>_retrain``."""
    config = RetrainConfig(partitions=list(partitions), request=request)
    return dg.RunConfig(ops={f"{use_case.name}_retrain_partitions": config})


def refresh_config(use_case: AnyUseCase, windows: Sequence[str]) -> dg.RunConfig:
    """Run config of ``<use case>_refresh``."""
    config = RefreshConfig(windows=list(windows))
    return dg.RunConfig(ops={f"{use_case.name}_refresh_windows": config})


def refreshed_windows(use_case: AnyUseCase, run: dg.DagsterRun) -> list[str]:
    """Windows that a run of ``<use case>_refresh`` was to take in."""
    given: Any = run.run_config
    config = given.get("ops", {}).get(f"{use_case.name}_refresh_windows", {})
    return list(config.get("config", {}).get("windows", []))


def got_through(
    use_case: AnyUseCase, instance: dg.DagsterInstance, run: dg.DagsterRun, windows: Collection[str]
) -> bool:
    """Whether a refresh took in all of these windows and forecast, though it may have failed.

    Then at most some partitions failed, or what the next refresh does again: trying this one again
    would come to the same.
    """
    runs = {name for name in (run.run_id, run.parent_run_id, run.root_run_id) if name}
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    made = [instance.get_asset_partitions_for_run(run_id, kind) for run_id in runs]
    raw, predictions = (
        {name for one in made for name in one.get(dg.AssetKey([use_case.name, asset]), ())}
        for asset in ("raw_data", "predictions")
    )
    return raw >= set(windows) and bool(predictions)


def build_retrain_job(use_case: AnyUseCase) -> dg.JobDefinition:
    name = f"{use_case.name}_retrain"

    @dg.op(
        name=f"{name}_partitions",
        out=dg.Out(list, io_manager_key=NAMES),
        description=(
            "The partitions that the config names, each once; all must exist, but for those of a "
            "request that have gone since it was made."
        ),
    )
    def choose(context: dg.OpExecutionContext, config: RetrainConfig) -> Names:
        known = context.instance.get_dynamic_partitions(group_partitions(use_case).name or "")
        wanted = config.partitions
        if config.request:
            context.add_output_metadata({"request": config.request})
            there = set(known)
            wanted = [name for name in wanted if name in there] or wanted
        return existing(use_case, "partition", wanted, known)

    stages = [
        make_op(use_case, "retrain", "grouped_datasets", make_grouped_datasets),
        check_op(use_case, "retrain", "grouped_datasets", check_grouped_datasets),
        make_op(use_case, "retrain", "trained_models", make_trained_models),
        check_op(use_case, "retrain", "trained_models", check_trained_models),
        make_op(use_case, "retrain", "promoted_models", make_promoted_models),
        check_op(use_case, "retrain", "promoted_models", check_promoted_models),
    ]

    @op_job(use_case, name, "Group, train, judge and promote any choice of partitions, in one run.")
    def retrain() -> None:
        names = choose()
        for stage in stages:
            names = stage(names)

    return retrain


def build_refresh_job(use_case: AnyUseCase) -> dg.JobDefinition:
    name = f"{use_case.name}_refresh"

    @dg.op(
        name=f"{name}_windows",
        out={
            "windows": dg.Out(list, io_manager_key=NAMES),
            "held": dg.Out(list, io_manager_key=NAMES, description="Partitions in them so far."),
        },
        description="The windows that the config names, each once; all must exist.",
    )
    def choose(config: RefreshConfig, lake: LakeResource) -> tuple[Names, Names]:
        known = raw_windows(use_case).get_partition_keys()
        windows = existing(use_case, "window", config.windows, known)
        return windows, partitions_held(use_case, windows, lake)

    # Without one of the windows, forecasts would begin with a gap.
    extract = make_op(use_case, "refresh", "raw_data", make_raw_data, all_or_none=True)
    check_extract = check_op(use_case, "refresh", "raw_data", check_raw_data)
    touched = find_op(use_case, "refresh", "partitions", find_touched, "windows", "held")
    group = make_op(use_case, "refresh", "grouped_datasets", make_grouped_datasets)
    check_group = check_op(use_case, "refresh", "grouped_datasets", check_grouped_datasets)
    origin = find_op(use_case, "refresh", "origin", find_newest_origin, "after")
    predict = make_op(use_case, "refresh", "predictions", make_predictions)
    check_predict = check_op(use_case, "refresh", "predictions", check_predictions)
    due = find_op(use_case, "refresh", "due_origins", find_due_origins, "after")
    measure = make_op(use_case, "refresh", "forecast_accuracy", make_forecast_accuracy)
    check_measure = check_op(use_case, "refresh", "forecast_accuracy", check_forecast_accuracy)
    check_freshness = freshness_op(use_case, "refresh")
    promoted = find_op(use_case, "refresh", "promoted", find_promoted, "partitions", "after")
    drift = make_op(use_case, "refresh", "model_drift", make_model_drift)
    check_drift = check_op(use_case, "refresh", "model_drift", check_model_drift)

    @op_job(
        use_case, name, "Take in windows of raw data, and do all that follows from them on a day."
    )
    def refresh() -> None:
        windows, held = choose()
        partitions = touched(windows=check_freshness(check_extract(extract(windows))), held=held)
        grouped = check_group(group(partitions))
        predicted = check_predict(predict(origin(after=grouped)))
        measured = check_measure(measure(due(after=predicted)))
        check_drift(drift(promoted(partitions=partitions, after=measured)))

    return refresh


def partitions_held(use_case: AnyUseCase, windows: Sequence[str], lake: LakeResource) -> Names:
    """Partitions that occur in these windows of the lake as it is, if it has them at all."""
    try:
        columns = lake.open().raw_data(use_case).dataset().schema.names
    except LakeError:
        return []  # there is no raw data yet
    if not set(use_case.keys) <= set(columns):
        return []  # it was extracted for other keys
    return find_partitions(use_case, lake.open(), windows)


def find_touched(
    use_case: AnyUseCase, windows: Names, held: Names, run: CurrentRun, *, lake: LakeResource
) -> Names:
    """Partitions to group anew: what these windows hold now, and what they held before.

    New partitions are registered, those that lost all of their data forgotten.
    """
    there = sync_partitions(use_case, run.instance, lake.open())
    touched = {*held, *find_partitions(use_case, lake.open(), windows)}
    return [name for name in there if name in touched]


def find_newest_origin(use_case: AnyUseCase, after: Names, *, lake: LakeResource) -> Names:
    """The newest origin that the data reaches."""
    return newest_origins(use_case, lake.open())


def find_due_origins(
    use_case: AnyUseCase, after: Names, run: CurrentRun, *, lake: LakeResource
) -> Names:
    """Origins of which more actuals have come since they were judged."""
    return due_origins(use_case, run.instance, lake.open())


def find_promoted(use_case: AnyUseCase, partitions: Names, after: Names, run: CurrentRun) -> Names:
    """Partitions touched that may have champions."""
    return promoted_partitions(use_case, run.instance, partitions)
