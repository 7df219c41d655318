"""Is the raw data up to date? A check by the data's own time, asked even when nothing runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg

from many_models.core.freshness import Freshness, describe_freshness, judge_freshness
from many_models.core.use_case import AnyUseCase
from many_models.defs import due
from many_models.defs.check_results import CheckResult
from many_models.defs.partition_names import NAMES
from many_models.defs.partitions import utc_now
from many_models.defs.resources import LakeResource
from many_models.steps.raw_freshness import newest_target

UP_TO_DATE = "up_to_date"
SECONDS_BETWEEN = 900


def build_freshness_check(use_case: AnyUseCase, raw_data: dg.AssetKey) -> dg.AssetChecksDefinition:
    """The check of the whole table, in every run that extracts, or by itself."""
    hours = use_case.source.expected_within_hours
    text = (
        f"The raw data has the target {use_case.target} for every period that is due"
        + (f", {hours:g} hours after the period's end. " if hours is not None else ". ")
        + f"When it fails: start {use_case.name}_ingest, or switch on the schedule or the sensor "
        "that does; where the source has nothing newer, ask who fills it. What is normal is said "
        "by source.expected_within_hours."
    )

    spec = dg.AssetCheckSpec(UP_TO_DATE, asset=raw_data, description=text)

    @dg.multi_asset_check(name=f"{use_case.name}_raw_data_{UP_TO_DATE}", specs=[spec])
    def up_to_date(
        context: dg.AssetCheckExecutionContext, lake: LakeResource
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        found = check_freshness(use_case, context.instance, lake=lake)
        yield freshness_evaluation(raw_data, found)
        yield dg.Output(None, output_name=spec.get_python_identifier())

    return up_to_date


def build_freshness_sensor(use_case: AnyUseCase, raw_data: dg.AssetKey) -> dg.SensorDefinition:
    """Evaluates the check without a run, whenever its answer may have changed."""

    @dg.sensor(
        name=f"{use_case.name}_freshness",
        minimum_interval_seconds=SECONDS_BETWEEN,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            f"Evaluates the check {UP_TO_DATE} of raw_data every {SECONDS_BETWEEN // 60} minutes, "
            "without a run: data that does not come makes nothing run. It starts nothing."
        ),
    )
    def freshness(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        found = check_freshness(use_case, context.instance, lake=lake)
        state = f"{found.passed}: {found.description}"
        if state == context.cursor:
            return dg.SensorResult(skip_reason=found.description)
        return dg.SensorResult(
            skip_reason=found.description,
            cursor=state,
            asset_events=[freshness_evaluation(raw_data, found)],
        )

    return freshness


def freshness_op(use_case: AnyUseCase, job: str) -> dg.OpDefinition:
    """Op that evaluates the check after others of raw_data, and passes on the names it is given."""
    raw_data = dg.AssetKey([use_case.name, "raw_data"])

    @dg.op(
        name=f"{use_case.name}_{job}_{UP_TO_DATE}",
        ins={"names": dg.In(list)},
        out=dg.Out(list, io_manager_key=NAMES),
        description=f"Evaluates the check {UP_TO_DATE} of raw_data.",
    )
    def checked(
        context: dg.OpExecutionContext, names: list[str], lake: LakeResource
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[list[str]]]:
        found = check_freshness(use_case, context.instance, lake=lake)
        yield freshness_evaluation(raw_data, found)
        yield dg.Output(names)

    return checked


def freshness_evaluation(raw_data: dg.AssetKey, found: CheckResult) -> dg.AssetCheckEvaluation:
    """The result as an event, which a sensor or an op may give as well: of no partition."""
    return dg.AssetCheckEvaluation(
        asset_key=raw_data,
        check_name=UP_TO_DATE,
        passed=found.passed,
        description=found.description,
        severity=found.severity,
        metadata=dict(found.metadata),
    )


def check_freshness(
    use_case: AnyUseCase,
    instance: dg.DagsterInstance,
    *,
    lake: LakeResource,
    now: datetime | None = None,
) -> CheckResult:
    """Whether the lake has what is due at ``now`` (UTC).

    A warning where the source was asked and had no more, else an error.
    """
    now = now or utc_now()
    found = judge_freshness(use_case, newest_target(use_case, lake.open()), now)
    reached = None if found.holds else due.extracted_before(use_case, instance)
    asked = reached is not None and found.expected is not None and reached > found.expected
    return CheckResult(
        found.holds,
        describe_freshness(use_case, found, reached),
        _figures(found, now),
        dg.AssetCheckSeverity.WARN if asked else dg.AssetCheckSeverity.ERROR,
    )


def _figures(found: Freshness, now: datetime) -> dict[str, object]:
    figures: dict[str, object] = {"periods_late": found.periods_late}
    if found.newest is not None:
        figures["newest"] = str(found.newest)
        figures["age_hours"] = (now - found.newest) / timedelta(hours=1)
    if found.expected is not None:
        figures["expected"] = str(found.expected)
    return figures
