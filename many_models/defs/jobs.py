"""Jobs: what an operator starts, each over one kind of partition."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from many_models.core.use_case import AnyUseCase
from many_models.defs.partition_failures import build_executor

USE_CASE_TAG = "many_models/use_case"
"""Tag of a job's runs, by which an instance can limit how many runs a use case has at once."""

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags of a run of assets over a range: the first and the last of its partitions."""


def build_jobs(use_case: AnyUseCase) -> list[UnresolvedAssetJobDefinition]:
    """``<use case>_ingest`` by window, ``_train`` by set of groups, the others by origin."""
    stages = {
        "ingest": (
            ["raw_data"],
            "Extract time windows from the source into the lake: those that are new, or to which "
            "late rows have come.",
        ),
        "train": (
            ["grouped_datasets", "trained_models", "promoted_models"],
            "Group, train, judge and promote some partitions of groups. A partition that fails "
            "keeps its champions.",
        ),
        "score": (
            ["predictions"],
            "Forecast every group from one or more origins, dates to which the data must reach.",
        ),
        "measure": (
            ["forecast_accuracy"],
            "Judge predictions of one or more origins by the actuals that have come; again, once "
            "more have.",
        ),
        "drift": (
            ["model_drift"],
            "Hold the champions of some partitions against what their backtest promised.",
        ),
    }
    return [
        dg.define_asset_job(
            f"{use_case.name}_{stage}",
            selection=dg.AssetSelection.assets(*([use_case.name, name] for name in names)),
            description=text,
            tags={USE_CASE_TAG: use_case.name},
            executor_def=build_executor(),
        )
        for stage, (names, text) in stages.items()
    ]
