"""Job ``<use case>_rollback``: the same as ``many-models rollback``, from Dagster's launchpad.

A retry of a run is the same rollback and completes it; a new run is another one.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from many_models.core.rollback import BASELINE, Rollback, RollbackPlan
from many_models.core.use_case import AnyUseCase
from many_models.defs.resources import RegistryResource, StoreResource
from many_models.steps.rollback import Selection, carry_out, plan

CHANGES_SHOWN = 100
PARTITIONS_DESCRIBED_MAX = 200  # of events that are written one by one


class RollbackConfig(dg.Config):
    """What to roll back (one of key, partition and run), and why."""

    key: str | None = None
    partition: str | None = None
    run: str | None = None
    reason: str


def build_rollback_job(use_case: AnyUseCase) -> dg.JobDefinition:
    @dg.op(name=f"{use_case.name}_roll_back", out=dg.Out(dg.Nothing))
    def roll_back(
        context: dg.OpExecutionContext,
        config: RollbackConfig,
        production_registry: RegistryResource,
        store: StoreResource,
    ) -> None:
        run = context.run
        by = f"run {run.run_id}"
        order = Rollback(find_rollback_id(run), datetime.now(UTC), by, config.reason)
        selection = Selection.of(key=config.key, partition=config.partition, run=config.run)
        production = production_registry.open(use_case)
        found = plan(use_case, selection, order.id, production)
        count = carry_out(
            use_case, found, order, production=production, results=store.open(use_case)
        )
        context.log.info("%d champions changed now, %d in all", len(found.changes), count)
        _observe(context, use_case, found)
        context.add_output_metadata(_describe(found))

    @dg.job(
        name=f"{use_case.name}_rollback",
        description=(
            "Let champions give way to those that they replaced: of one key, of a partition's "
            "latest promotion, or of a whole run. Again goes back one further."
        ),
    )
    def rollback() -> None:
        roll_back()

    return rollback


def find_rollback_id(run: dg.DagsterRun) -> str:
    """The run, or the one that it tries again."""
    return run.root_run_id or run.run_id


def _describe(found: RollbackPlan) -> dict[str, dg.MetadataValue[Any]]:
    rows = [
        f"| {c.name} | {c.from_version} | {c.to_version or BASELINE} |"
        for c in found.changes[:CHANGES_SHOWN]
    ]
    table = "\n".join(["| model | from | to |", "|---|---|---|", *rows])
    return {
        "rolled_back": dg.MetadataValue.int(len(found.changes)),
        "to_the_baseline": dg.MetadataValue.int(sum(c.to_version is None for c in found.changes)),
        "superseded": dg.MetadataValue.int(len(found.superseded)),
        "changes": dg.MetadataValue.md(table),
    }


def _observe(context: dg.OpExecutionContext, use_case: AnyUseCase, found: RollbackPlan) -> None:
    """Tell it on the page of the asset, too, partition by partition."""
    counts = Counter(change.partition for change in found.changes)
    if len(counts) > PARTITIONS_DESCRIBED_MAX:
        return
    asset = dg.AssetKey([use_case.name, "promoted_models"])
    for partition, count in sorted(counts.items()):
        context.log_event(
            dg.AssetObservation(asset, partition=partition, metadata={"rolled_back": count})
        )
