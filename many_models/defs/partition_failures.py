"""One partition's failure does not stop its neighbours: who failed in a step, and who is left.

A step over many partitions does what it can, yields the materializations of those that went well,
and its output, and only then fails, with the names of the others and their reasons. Dagster goes on
to the next step as long as the run's executor asks for outputs alone (``build_executor``); that
step leaves out who has failed before. At its end the run has failed, and a backfill counts as
failed just what was not materialized.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import dagster as dg

from many_models.core.errors import (
    ManyModelsError,
    PartitionsError,
    describe_failures,
    raise_failed,
)

Item = TypeVar("Item")
Result = TypeVar("Result")

_OUTPUTS_SUFFICE = {"step_dependency_config": {"require_upstream_step_success": False}}


class PartitionsFailure(dg.Failure):
    """Ends a step some partitions of which failed; ``reasons`` are those of its own failures."""

    def __init__(self, reasons: Mapping[str, str], lost: Mapping[str, str]) -> None:
        super().__init__(describe_failures({**lost, **reasons}), allow_retries=False)
        self.reasons = dict(reasons)


@dataclass(frozen=True)
class Left:
    """Partitions of a run that are left to a step, and those that it lost before, with reasons."""

    keys: Sequence[str]
    lost: Mapping[str, str]


def build_executor() -> dg.ExecutorDefinition:
    """Steps in one process, one after the other; a step starts when those before have outputs."""
    return dg.in_process_executor.configured(_OUTPUTS_SUFFICE, name="in_process")


def partitions_left(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, upstream: dg.AssetKey
) -> Left:
    """Partitions of this run except those of which it was to make ``upstream``, and did not.

    ``upstream`` has the same partitions as the step at hand.
    """
    keys, kinds = context.partition_keys, dg.DagsterEventType
    find = context.instance.get_asset_partitions_for_run
    planned = find(context.run.run_id, kinds.ASSET_MATERIALIZATION_PLANNED).get(upstream, set())
    if not planned:
        return Left(keys, {})
    made = find(context.run.run_id, kinds.ASSET_MATERIALIZATION).get(upstream, set())
    lost = {
        key: f"{upstream.path[-1]} failed" for key in keys if key in planned and key not in made
    }
    return Left([key for key in keys if key not in lost], lost)


def attempt(work: Callable[[], Result]) -> tuple[Result, Mapping[str, str]]:
    """What a step of the pipeline made of many partitions, and why it failed in others."""
    try:
        return work(), {}
    except PartitionsError as error:
        return error.done, error.reasons


def attempt_each(
    items: Mapping[str, Item], work: Callable[[Item], Result]
) -> tuple[dict[str, Result], Mapping[str, str]]:
    """The same where a step takes one partition at a time.

    Raises:
        ManyModelsError: there is but one, and it failed.
    """
    done, errors = dict[str, Result](), dict[str, ManyModelsError]()
    for key, item in items.items():
        try:
            done[key] = work(item)
        except ManyModelsError as error:
            errors[key] = error
    if len(items) == 1:
        raise_failed(errors, done, 1)
    return done, {key: str(error) for key, error in errors.items()}
