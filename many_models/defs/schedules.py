"""Schedules ``<use case>_daily`` and ``_weekly``: there from the start, on by a click in Dagster.

A tick's run key is its scheduled time, so that a tick that is evaluated twice starts one run.
"""

from datetime import datetime

import dagster as dg

from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.defs.due import new_windows
from many_models.defs.jobs import RANGE_END, RANGE_START
from many_models.defs.partitions import group_partitions, raw_windows
from many_models.defs.selections import got_through, refresh_config, refreshed_windows


def build_schedules(use_case: AnyUseCase) -> list[dg.ScheduleDefinition]:
    """The schedules that the use case has a cron expression for."""
    chosen, found = use_case.schedules, []
    if chosen.score is not None:
        found.append(_build_daily(use_case, chosen.score))
    if chosen.train is not None:
        found.append(_build_weekly(use_case, chosen.train))
    return found


def daily_request(
    use_case: AnyUseCase, instance: dg.DagsterInstance, at: datetime
) -> dg.RunRequest | dg.SkipReason:
    """A refresh of what is due, or else of what the last one failed to do, under the tick's key."""
    try:
        windows = new_windows(use_case, instance) or _failed_windows(use_case, instance)
    except UseCaseError as error:
        return dg.SkipReason(str(error))
    if not windows:
        return dg.SkipReason("Nothing is due: every period that is over has been ingested.")
    return dg.RunRequest(at.isoformat(), run_config=refresh_config(use_case, windows))


def weekly_request(
    use_case: AnyUseCase, instance: dg.DagsterInstance, at: datetime
) -> dg.RunRequest | dg.SkipReason:
    """A training of all partitions, as one range, under the key of the tick ``at``."""
    keys = instance.get_dynamic_partitions(group_partitions(use_case).name or "")
    if not keys:
        return dg.SkipReason("There is nothing to train: no window of raw data has rows yet.")
    return dg.RunRequest(at.isoformat(), tags={RANGE_START: keys[0], RANGE_END: keys[-1]})


def _failed_windows(use_case: AnyUseCase, instance: dg.DagsterInstance) -> list[str]:
    """Windows of the last refresh, if it failed: it may have ingested them, and done no more.

    Not beside what is due, or they would be ever more where every refresh fails.
    """
    job = dg.RunsFilter(job_name=f"{use_case.name}_refresh")
    last = instance.get_runs(job, limit=1)
    if not last or last[0].status != dg.DagsterRunStatus.FAILURE:
        return []
    windows = refreshed_windows(use_case, last[0])
    if got_through(use_case, instance, last[0], windows):
        return []
    return sorted(set(windows) & set(raw_windows(use_case).get_partition_keys()))


def _build_daily(use_case: AnyUseCase, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}_daily",
        job_name=f"{use_case.name}_refresh",
        cron_schedule=cron,
        execution_timezone=use_case.schedules.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=(
            "Takes in the windows of raw data that are not ingested to their end, or else those of "
            "a refresh that failed; forecasts from the newest origin, judges earlier predictions."
        ),
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return daily_request(use_case, context.instance, context.scheduled_execution_time)

    return daily


def _build_weekly(use_case: AnyUseCase, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{use_case.name}_weekly",
        job_name=f"{use_case.name}_train",
        cron_schedule=cron,
        execution_timezone=use_case.schedules.timezone,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Groups, trains, judges and promotes all partitions, in one run.",
    )
    def weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return weekly_request(use_case, context.instance, context.scheduled_execution_time)

    return weekly
