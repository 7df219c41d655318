"""Check results of one partition each, in runs over one or many partitions.

Dagster's ``AssetCheckResult`` names no partition in a range run. This one place yields evaluations that
do, which takes two of Dagster's internals; a test fails when they change.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster import AssetCheckEvaluation
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

Event = AssetCheckEvaluation | dg.Output[None]


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check on one partition."""

    passed: bool
    description: str
    metadata: Mapping[str, object] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


def check_spec(
    name: str,
    asset: dg.AssetKey,
    partitions: dg.PartitionsDefinition,  # type: ignore[type-arg]
    description: str,
) -> dg.AssetCheckSpec:
    """A check that runs before everything downstream, but does not stop a sibling partition."""
    return dg.AssetCheckSpec(
        name, asset=asset, description=description, partitions_def=partitions, blocking=True
    )


def yield_results(
    context: dg.AssetCheckExecutionContext,
    specs: Sequence[dg.AssetCheckSpec],
    results: Mapping[str, Mapping[str, CheckResult]],
) -> Iterator[Event]:
    """Events of ``results`` (by check, then partition) for all of ``specs``."""
    for spec in specs:
        storage_ids = context.instance.event_log_storage.get_latest_storage_id_by_partition(
            spec.asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(results[spec.name])
        )
        for partition, result in results[spec.name].items():
            materialization = storage_ids.get(partition)
            yield AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                partition=partition,
                passed=result.passed,
                description=result.description,
                metadata=dict(result.metadata),
                severity=result.severity,
                blocking=False,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=materialization, run_id=context.run.run_id, timestamp=0.0
                )
                if materialization is not None
                else None,
            )
        yield dg.Output(None, output_name=spec.get_python_identifier())
