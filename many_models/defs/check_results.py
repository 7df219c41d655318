"""Check results of one partition each, in runs over one or many partitions.

Dagster's ``AssetCheckResult`` names no partition in a range run. This one place yields evaluations
that do, which takes two of Dagster's internals; a test fails when they change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from many_models.core.markdown import tabulate
from many_models.defs.event_batches import in_batches
from many_models.defs.materializations import latest_materializations
from many_models.defs.partition_failures import PartitionsFailure

Event = dg.DagsterEvent | dg.Output[None]


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check on one partition."""

    passed: bool
    description: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


Checked = Mapping[str, Mapping[str, CheckResult]]
"""Results by check, then by partition."""


def check_spec(
    name: str,
    asset: dg.AssetKey,
    partitions: dg.PartitionsDefinition,
    description: str,
) -> dg.AssetCheckSpec:
    """A check that runs before everything downstream, but does not stop a sibling partition."""
    return dg.AssetCheckSpec(
        name, asset=asset, description=description, partitions_def=partitions, blocking=True
    )


def yield_results(
    context: dg.AssetCheckExecutionContext,
    specs: Sequence[dg.AssetCheckSpec],
    results: Checked,
    failed: Mapping[str, str] | None = None,
    lost: Mapping[str, str] | None = None,
) -> Iterator[Event]:
    """Events of ``results`` for ``specs``, which are of one asset.

    Raises:
        PartitionsFailure: some partitions ``failed`` to be checked, or were ``lost`` before.
    """
    step = context.op_execution_context.get_step_execution_context()
    found = evaluations(context.instance, specs[0].asset_key, results)
    yield from in_batches(step, found)
    for spec in specs:
        yield dg.Output(None, output_name=spec.get_python_identifier())
    if failed or lost:
        raise PartitionsFailure(failed or {}, lost or {})


def evaluations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, results: Checked
) -> Iterator[AssetCheckEvaluation]:
    """``results`` of checks of one asset as events, which an op may yield as well."""
    partitions = sorted({name for by_partition in results.values() for name in by_partition})
    targets = _materializations(instance, asset, partitions)
    for check, by_partition in results.items():
        for partition, result in by_partition.items():
            yield AssetCheckEvaluation(
                asset_key=asset,
                check_name=check,
                partition=partition,
                passed=result.passed,
                description=result.description,
                metadata=dict(result.metadata),
                severity=result.severity,
                blocking=False,
                target_materialization_data=targets.get(partition),
            )


def shown_table(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metadata ``name`` of a result: these rows as a table, nothing where there are none."""
    return {name: dg.MetadataValue.md(tabulate(rows))} if rows else {}


def _materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, AssetCheckEvaluationTargetMaterializationData]:
    """The last materialization of each partition: a check's status is shown on it only."""
    return {
        partition: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for partition, record in latest_materializations(instance, asset, partitions).items()
    }
