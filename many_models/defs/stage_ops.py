"""Ops that do what an asset or its checks do, on any choice of partitions and in one run.

Dagster runs assets over one partition or a contiguous range; ops take a list of names. They yield
the same materializations and check results, so that every page shows what it would after a run of
the assets. Names are all that they pass on: a retry may begin at any of them.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg

from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, materializations
from many_models.defs.check_results import Checked, evaluations
from many_models.defs.current_run import CurrentRun
from many_models.defs.event_batches import in_batches
from many_models.defs.jobs import USE_CASE_TAG
from many_models.defs.partition_failures import PartitionsFailure, build_executor
from many_models.defs.partition_names import NAMES
from many_models.defs.resources import SPARK_POOL

NAMES_SHOWN = 10

Names = list[str]
Event = dg.DagsterEvent | dg.Output[Names]


def make_op(
    use_case: AnyUseCase,
    job: str,
    asset: str,
    make: Callable[..., Made],
    *,
    all_or_none: bool = False,
) -> dg.OpDefinition:
    """Op that materializes the partitions that it is given, and passes their names on.

    Those that fail go no further, and the op fails with their reasons once the others are told of;
    with ``all_or_none`` it passes on nothing then.

    ``make`` is the asset's function: use case, names, then ``run`` and the resources that it needs
    by their own names. Without names there is nothing to do.
    """
    key = dg.AssetKey([use_case.name, asset])

    @dg.op(
        name=f"{use_case.name}_{job}_{asset}",
        ins={"names": dg.In(list)},
        out=dg.Out(list, io_manager_key=NAMES),
        required_resource_keys=_resources_of(make),
        pool=_pool_of(make),
        description=f"Materializes these partitions of {asset}.",
    )
    def made(context: dg.OpExecutionContext, names: Names) -> Iterator[Event]:
        failed: Mapping[str, str] = {}
        if names:
            done: Made = make(use_case, names, **_offer(context, make))
            failed, step = done.failed, context.get_step_execution_context()
            yield from in_batches(step, materializations(key, names, done))
        if failed and all_or_none:
            raise PartitionsFailure(failed, {})
        yield dg.Output([name for name in names if name not in failed])
        if failed:
            raise PartitionsFailure(failed, {})

    return made


def check_op(
    use_case: AnyUseCase, job: str, asset: str, check: Callable[..., Checked]
) -> dg.OpDefinition:
    """Op that checks the partitions that it is given, and passes their names on."""
    key = dg.AssetKey([use_case.name, asset])

    @dg.op(
        name=f"{use_case.name}_{job}_{asset}_checks",
        ins={"names": dg.In(list)},
        out=dg.Out(list, io_manager_key=NAMES),
        required_resource_keys=_resources_of(check),
        pool=_pool_of(check),
        description=f"Runs the checks of {asset} on these partitions.",
    )
    def checked(context: dg.OpExecutionContext, names: Names) -> Iterator[Event]:
        if names:
            found: Checked = check(use_case, names, **_offer(context, check))
            step = context.get_step_execution_context()
            yield from in_batches(step, evaluations(context.instance, key, found))
        yield dg.Output(names)

    return checked


def find_op(
    use_case: AnyUseCase, job: str, what: str, find: Callable[..., Sequence[str]], *inputs: str
) -> dg.OpDefinition:
    """Op that finds out names; ``find`` is given the use case and the names of ``inputs``."""

    @dg.op(
        name=f"{use_case.name}_{job}_{what}",
        ins={name: dg.In(list) for name in inputs},
        out=dg.Out(list, io_manager_key=NAMES),
        required_resource_keys=_resources_of(find),
        pool=_pool_of(find),
        description=(find.__doc__ or "").strip().split("\n")[0],
    )
    def found(context: dg.OpExecutionContext, **given: Names) -> Names:
        return list(find(use_case, **given, **_offer(context, find)))

    return found


def op_job(
    use_case: AnyUseCase, name: str, description: str
) -> Callable[[Callable[[], None]], dg.JobDefinition]:
    """Decorator of a job of such ops: all in one process, so that they share one Spark session."""

    def build(compose: Callable[[], None]) -> dg.JobDefinition:
        job: dg.JobDefinition = dg.job(
            name=name,
            description=description,
            tags={USE_CASE_TAG: use_case.name},
            executor_def=build_executor(),
        )(compose)
        return job

    return build


def existing(use_case: AnyUseCase, what: str, names: Sequence[str], known: Sequence[str]) -> Names:
    """Each of ``names`` once, in their order.

    Raises:
        UseCaseError: there are none, or one that is not among ``known``.
    """
    if not names:
        raise UseCaseError(f"no {what} of use case {use_case.name!r} was named; name at least one")
    if unknown := sorted(set(names) - set(known)):
        shown = ", ".join(sorted(known)[:NAMES_SHOWN]) or "none"
        raise UseCaseError(
            f"use case {use_case.name!r} has no {what} {unknown[0]!r}"
            + (f" (nor {len(unknown) - 1} more that were named)" if len(unknown) > 1 else "")
            + f"; it has {shown}"
            + (" ..." if len(known) > NAMES_SHOWN else "")
        )
    return list(dict.fromkeys(names))


def _resources_of(work: Callable[..., object]) -> set[str]:
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    found = inspect.signature(work).parameters.values()
    return {parameter.name for parameter in found if parameter.kind is keyword_only}


def _pool_of(work: Callable[..., object]) -> str | None:
    return SPARK_POOL if "spark" in _resources_of(work) else None


def _offer(context: dg.OpExecutionContext, work: Callable[..., object]) -> dict[str, object]:
    """What a function asks for by name: the run, and its keyword-only parameters, resources."""
    offered: dict[str, object] = {
        name: getattr(context.resources, name) for name in _resources_of(work)
    }
    if "run" in inspect.signature(work).parameters:
        offered["run"] = CurrentRun.of(context)
    return offered
