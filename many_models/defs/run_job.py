"""Running a job in this process, with the executor that it has.

Dagster's ``execute_in_process`` puts in one of its own, which ends a run at the first step that
fails. This one place runs a job as Dagster's own processes do, which takes two of its internals; a
test fails when they change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from many_models.defs.partition_failures import PartitionsFailure


@dataclass(frozen=True)
class Ended:
    """Events of a run that is over, and what ended in it, by step: only partitions, if anything."""

    events: list[dg.DagsterEvent]
    failures: dict[str, PartitionsFailure]


def run_job(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    tags: Mapping[str, str],
    config: dg.RunConfig | Mapping[str, Any] | None = None,
) -> Ended:
    """Run a job to its end.

    Raises:
        Exception: what a step raised; failures of some partitions are no such thing.
    """
    errors: dict[str, BaseException | None] = {}

    @dg.failure_hook
    def remember(context: dg.HookContext) -> None:
        errors[context.step_key] = context.op_exception

    watched = job.with_hooks({remember})
    values: Mapping[str, Any] | None = (
        config.to_config_dict()  # type: ignore[no-untyped-call]
        if isinstance(config, dg.RunConfig)
        else config
    )
    run = instance.create_run_for_job(job_def=watched, tags=dict(tags), run_config=values)
    events = list(execute_run_iterator(InMemoryJob(watched), run, instance))
    failures = {k: e for k, e in errors.items() if isinstance(e, PartitionsFailure)}
    for step, error in errors.items():
        if step not in failures and error is not None:
            raise error
    if not failures and any(event.is_job_failure for event in events):
        raise dg.DagsterInvariantViolationError(next(e for e in events if e.is_job_failure).message)
    return Ended(events, failures)
