"""Events of many partitions, handed to Dagster's event log in batches.

One by one, each costs several transactions. Dagster batches only what it makes of an asset's own
output; this one place does the same to what we yield, which takes some of its internals. A test
fails when they change.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg
from dagster import AssetCheckEvaluation, DagsterEvent
from dagster._core.definitions.assets.definition.asset_spec import AssetExecutionType
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_step import _get_output_asset_events

from many_models.defs.event_log import BatchingEventLog

Event = dg.AssetMaterialization | AssetCheckEvaluation


def in_batches(step: StepExecutionContext, events: Iterable[Event]) -> Iterator[DagsterEvent]:
    """The same events, stored in batches; an asset, a check or an op may yield what comes out.

    Results of checks are batched in our own event log only: PostgreSQL's refuses a batch of them.
    """
    everything = list(events)
    ours = isinstance(step.instance.event_log_storage, BatchingEventLog)
    batch = str(uuid.uuid4())
    for number, event in enumerate(everything, start=1):
        place = DagsterEventBatchMetadata(batch, is_end=number == len(everything))
        if isinstance(event, dg.AssetMaterialization):
            yield DagsterEvent.asset_materialization(step, event, place)
        else:
            yield _evaluation(step, event, place if ours else None)


def _evaluation(
    step: StepExecutionContext,
    event: AssetCheckEvaluation,
    place: DagsterEventBatchMetadata | None,
) -> DagsterEvent:
    """``DagsterEvent.asset_check_evaluation``, which takes no batch."""
    assert not event.blocking  # Dagster would have to see it to stop what is downstream
    outcome = "passed" if event.passed else "did not pass"
    return DagsterEvent.from_step(
        event_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION,
        step_context=step,
        event_specific_data=event,
        message=f"Check {event.check_name!r} of {event.partition!r} {outcome}: {event.description}",
        batch_metadata=place,
    )


def asset_tags(
    step: StepExecutionContext, asset: dg.AssetKey, partitions: Sequence[str]
) -> dict[str, str]:
    """Tags of a materialization by which Dagster knows which data it was made from."""
    (output,) = step.op_def.output_defs
    (event,) = _get_output_asset_events(
        asset, partitions[:1], dg.Output(None), output, {}, step, AssetExecutionType.MATERIALIZATION
    )
    return dict(event.tags or {})
