"""Sensor ``<use case>_new_data``: windows whose rows were loaded since are refreshed, each once.

Its cursor is the state of ``core.new_data``, packed where it is long. That also goes into an
observation of ``raw_data`` with every request, from where it is taken should the cursor be lost.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime

import dagster as dg

from many_models.core.new_data import (
    ATTEMPTS_MAX,
    Asked,
    Look,
    Outcome,
    WatchCalendar,
    WatchState,
    forgive,
    look,
    read_state,
    settle,
)
from many_models.core.packed_text import pack_text, unpack_text
from many_models.core.use_case import AnyUseCase
from many_models.defs.due import ingested_windows
from many_models.defs.partitions import (
    available_before,
    readable_before,
    source_span,
    utc_now,
    window_key_of,
)
from many_models.defs.raw_data import source_digest
from many_models.defs.resources import SourceResource
from many_models.defs.selections import got_through, refresh_config
from many_models.steps.new_data import first_state, read_loads

SECONDS_BETWEEN_TICKS = 300
WATCH_STATE = "watch_state"
"""Metadata of an observation of ``raw_data``: what the sensor knew when it asked for a run."""
OBSERVATIONS_READ = 20
NAMES_SHOWN = 5
ENDS: dict[dg.DagsterRunStatus, Outcome] = {
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "canceled",
    dg.DagsterRunStatus.NOT_STARTED: "failed",  # made and never handed over
}
RUN_KEY = "dagster/run_key"


def build_new_data_sensors(use_case: AnyUseCase) -> list[dg.SensorDefinition]:
    """The sensor, or none where the source does not tell when rows were loaded."""
    return [_build(use_case)] if use_case.source.watched else []


def _build(use_case: AnyUseCase) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{use_case.name}_new_data",
        job_name=refresh_job(use_case),
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Asks the source which rows were loaded since it was asked last, whatever date they "
            "have, and refreshes the windows that they lie in: raw data, datasets, predictions "
            "and accuracy, in one run."
        ),
    )
    def new_data(
        context: dg.SensorEvaluationContext, source: SourceResource
    ) -> dg.SensorResult | dg.SkipReason:
        if run_id := _under_way(use_case, context.instance):
            return dg.SkipReason(f"A refresh is under way: run {run_id}. The next tick looks on.")
        now = utc_now()
        database = source.open(use_case)
        state = _settle_last(use_case, context.instance, context.cursor, now)
        if state is None:
            state = first_state(use_case, database, _watch_digest(use_case), now)
        loads = read_loads(use_case, database, state)
        found = look(
            state,
            loads,
            watch_calendar(use_case, now),
            use_case.source.overlap,
            {} if state.looked else ingested_windows(use_case, context.instance),
        )
        return _answer(use_case, found)

    return new_data


def refresh_job(use_case: AnyUseCase) -> str:
    return f"{use_case.name}_refresh"


def watch_calendar(use_case: AnyUseCase, now: datetime) -> WatchCalendar:
    """The use case's time at a moment (UTC) as the bookkeeping needs it."""
    first, last = source_span(use_case)
    return WatchCalendar(
        now,
        available_before(use_case, now),
        lambda over_before: readable_before(use_case, over_before),
        lambda day: window_key_of(use_case, day),
        first,
        last,
    )


def _settle_last(
    use_case: AnyUseCase, instance: dg.DagsterInstance, cursor: str | None, now: datetime
) -> WatchState | None:
    """What the last look left, with the end that its run has come to; None before the first."""
    digest = _watch_digest(use_case)
    state = read_state(unpack_text(cursor), digest) or _recover(use_case, instance, digest)
    if state is None:
        return None
    if state.asked is not None:
        state = settle(state, _outcome(use_case, instance, state.asked), now)
    return forgive(state, ingested_windows(use_case, instance)) if state.failed else state


def _watch_digest(use_case: AnyUseCase) -> str:
    """Changes whenever what was seen before says nothing of what is seen now."""
    source = use_case.source
    parts = [source_digest(use_case), source.load_column, source.changes or ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _recover(use_case: AnyUseCase, instance: dg.DagsterInstance, digest: str) -> WatchState | None:
    """The state that the last request left with its observation, None where there is none."""
    asset = dg.AssetKey([use_case.name, "raw_data"])
    for record in instance.fetch_observations(asset, limit=OBSERVATIONS_READ).records:
        seen = record.asset_observation
        if seen is not None and WATCH_STATE in seen.metadata:
            return read_state(unpack_text(str(seen.metadata[WATCH_STATE].value)), digest)
    return None


def _under_way(use_case: AnyUseCase, instance: dg.DagsterInstance) -> str | None:
    statuses = [status for status in dg.DagsterRunStatus if status not in ENDS]
    wanted = dg.RunsFilter(job_name=refresh_job(use_case), statuses=statuses)
    return next((run.run_id for run in instance.get_runs(wanted, limit=1)), None)


def _outcome(use_case: AnyUseCase, instance: dg.DagsterInstance, asked: Asked) -> Outcome:
    """How the latest run of a request ended; one that is not there has failed to start.

    One that only failed in some partitions has taken its windows in: it would fail again.
    """
    wanted = dg.RunsFilter(job_name=refresh_job(use_case), tags={RUN_KEY: asked.key})
    runs = instance.get_runs(wanted, limit=1)
    if not runs:
        return "failed"
    outcome = ENDS.get(runs[0].status, "under way")
    if outcome == "failed" and got_through(use_case, instance, runs[0], asked.windows):
        return "succeeded"
    return outcome


def _answer(use_case: AnyUseCase, found: Look) -> dg.SensorResult:
    cursor = pack_text(found.state.model_dump_json())
    if found.request is None:
        return dg.SensorResult(skip_reason=_tell(found), cursor=cursor)
    request = dg.RunRequest(
        run_key=found.request.key,
        run_config=refresh_config(use_case, found.request.windows),
        tags={"many_models/attempt": str(found.request.attempt)},
    )
    observed = dg.AssetObservation(
        dg.AssetKey([use_case.name, "raw_data"]),
        description=f"New rows in {_names(found.request.windows)}.",
        metadata={
            "windows": len(found.request.windows),
            "windows_waiting": len(found.state.waiting),
            "loaded_through": found.state.watermark.isoformat(),
            "rows_outside_the_source_span": found.outside_rows,
            WATCH_STATE: cursor,
        },
    )
    return dg.SensorResult(run_requests=[request], cursor=cursor, asset_events=[observed])


def _tell(found: Look) -> str:
    state = found.state
    told = [f"Nothing new; the latest load is of {state.watermark:%Y-%m-%d %H:%M:%S}."]
    if state.held:
        told.append(f"Rows of periods that are not over wait for that in {_names(state.held)}.")
    if found.outside_days:
        first, last = found.outside_days
        told.append(
            f"{found.outside_rows} rows dated {first} to {last} are outside of source.start and "
            "source.end, and left out."
        )
    if state.failed:
        told.append(
            f"Refreshing {_names(state.failed)} failed {ATTEMPTS_MAX} times, or was stopped: look "
            "at those runs, then materialize raw_data there; new rows anywhere try it again, too."
        )
    return " ".join(told)


def _names(windows: Iterable[str]) -> str:
    names = sorted(windows)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
