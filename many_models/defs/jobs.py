"""Jobs: what an operator starts, each over one kind of partition."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from many_models.core.use_case import AnyUseCase

USE_CASE_TAG = "many_models/use_case"
"""Tag of a job's runs, by which an instance can limit how many runs a use case has at once."""


def build_jobs(use_case: AnyUseCase) -> list[UnresolvedAssetJobDefinition]:
    """``<use case>_ingest`` by window, ``_train`` by set of groups, the others by origin."""
    stages = {
        "ingest": (["raw_data"], "Extract time windows from the source into the lake."),
        "train": (
            ["grouped_datasets", "trained_models", "promoted_models"],
            "Group, train, judge and promote some partitions of groups.",
        ),
        "score": (["predictions"], "Forecast every group from one or more origins."),
        "measure": (["forecast_accuracy"], "Judge predictions by the actuals that have come."),
        "drift": (["model_drift"], "Hold champions against what their backtest promised."),
    }
    return [
        dg.define_asset_job(
            f"{use_case.name}_{stage}",
            selection=dg.AssetSelection.assets(*([use_case.name, name] for name in names)),
            description=text,
            tags={USE_CASE_TAG: use_case.name},
        )
        for stage, (names, text) in stages.items()
    ]
