"""Sensor ``<use case>_retraining``: asks for partitions to be trained again, and says why.

Its only memory is the audit table, so that it may be stopped, killed or reset at any moment: what
is written there and was not launched is launched by the next tick, under the same run key.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg

from many_models.adapters.lake.tables import Lake
from many_models.core.retraining import Plan, make_plan, name_request, write_down
from many_models.core.retraining_causes import PartitionState
from many_models.core.retraining_requests import (
    Request,
    SeenRun,
    find_unlaunched,
    is_news,
    settle,
)
from many_models.core.retraining_summary import summarise
from many_models.core.use_case import AnyUseCase
from many_models.defs.partitions import group_partitions, utc_now
from many_models.defs.resources import LakeResource, StoreResource
from many_models.defs.selections import retrain_config
from many_models.steps.results import Results
from many_models.steps.retraining import read_counts, read_requests, write_requests
from many_models.steps.retraining_state import read_state

REQUEST_TAG = "many_models/request"
SECONDS_BETWEEN_TICKS = 600
BY_ITSELF = ("dagster/schedule_name", "dagster/sensor_name", "dagster/from_automation_condition")
"""Tags of runs that nobody has started."""

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Tick:
    """What a tick finds and would do; nothing is written or started before somebody does.

    ``history`` holds the requests as they are by now, ``unlaunched`` the partitions of those
    without a run, by request.
    """

    history: Sequence[Request]
    before: Sequence[Request]
    plan: Plan
    unlaunched: dict[str, list[str]]
    now: datetime

    def commit(self, results: Results) -> dict[str, list[str]]:
        """Write down what has changed; returns the partitions to be launched, by request."""
        changes = {(r.request_id, r.partition): r for r in self.plan.changed}
        known = [changes.get((r.request_id, r.partition), r) for r in self.history]
        changed = {r.request_id for r, b in zip(known, self.before, strict=True) if r != b}
        launched = dict(self.unlaunched)
        if self.plan.proposals:
            name = name_request(self.plan.proposals, self.history)
            known += write_down(self.plan.proposals, name, self.now)
            changed.add(name)
            launched[name] = [p.partition for p in self.plan.proposals]
        write_requests(results, known, changed)
        return launched


def look(
    use_case: AnyUseCase,
    instance: dg.DagsterInstance,
    lake: Lake,
    results: Results,
    now: datetime | None = None,
) -> Tick:
    """What a tick at ``now`` (UTC) finds and would do; changes nothing."""
    now = now or utc_now()
    before = read_requests(results, now)
    runs = _see_runs(use_case, instance, before)
    ended = [run for run in runs.values() if run.ending]
    counts = read_counts(results, {run_id for run in ended for run_id in run.lineage})
    history = settle(before, runs, counts, now)
    names = instance.get_dynamic_partitions(group_partitions(use_case).name or "")
    known = read_state(use_case, names, lake, results)
    plan = make_plan(
        known.states,
        history,
        use_case.retraining,
        known.standard,
        now,
        by_people=_find_runs_by_people(instance, known.states, history),
        busy=_find_other_training(use_case, instance),
    )
    return Tick(history, before, plan, find_unlaunched(history, runs), now)


def build_retraining_sensor(use_case: AnyUseCase) -> dg.SensorDefinition:
    job_name = f"{use_case.name}_retrain"

    @dg.sensor(
        name=f"{use_case.name}_retraining",
        job_name=job_name,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            "Trains partitions again because of drift, age, new groups or a changed use case, the "
            "most valuable first, within a budget; each request is a row of table "
            f"{use_case.table('retraining')} with its reason and outcome."
        ),
    )
    def retraining(
        context: dg.SensorEvaluationContext, lake: LakeResource, store: StoreResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        results = store.open(use_case)
        tick = look(use_case, context.instance, lake.open(), results)
        launched = tick.commit(results)
        text = summarise(tick.plan)
        if not launched:
            yield dg.SkipReason(text)
            return
        context.log.info(text)
        for request_id, partitions in launched.items():
            yield dg.RunRequest(
                run_key=request_id,
                job_name=job_name,
                run_config=retrain_config(use_case, partitions, request_id),
                tags={REQUEST_TAG: request_id},
            )

    return retraining


def _see_runs(
    use_case: AnyUseCase, instance: dg.DagsterInstance, history: Sequence[Request]
) -> dict[str, SeenRun]:
    """Runs of the requests that are open, or whose runs were tried again since they failed."""
    awaited = {r.request_id for r in history if r.is_open or r.did_not_finish}
    found = find_runs(instance, awaited)
    news = {r.request_id for r in history if r.is_open or is_news(r, found.get(r.request_id))}
    return {
        request_id: _with_promoted(use_case, instance, run)
        for request_id, run in found.items()
        if request_id in news
    }


def find_runs(instance: dg.DagsterInstance, request_ids: set[str]) -> dict[str, SeenRun]:
    """The run of each request: the latest where one was tried again, or that which succeeded.

    A run that was made and never handed over is none: asked for again, Dagster hands over the same.
    """
    if not request_ids:
        return {}
    wanted = dg.RunsFilter(tags={REQUEST_TAG: sorted(request_ids)})
    found: dict[str, SeenRun] = {}
    for record in instance.get_run_records(wanted):  # the latest first
        if record.dagster_run.status == dg.DagsterRunStatus.NOT_STARTED:
            continue
        request_id = record.dagster_run.tags[REQUEST_TAG]
        run = _describe(record)
        if request_id not in found or (run.ending == "success" and found[request_id].ending):
            found[request_id] = run
    return found


def _describe(record: dg.RunRecord) -> SeenRun:
    run = record.dagster_run
    retried = frozenset(name for name in (run.parent_run_id, run.root_run_id) if name)
    if not run.is_finished:
        return SeenRun(run.run_id, retried=retried)
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None
    naive = ended.replace(tzinfo=None) if ended else None
    if run.is_success:
        return SeenRun(run.run_id, "success", naive, retried)
    canceled = run.status == dg.DagsterRunStatus.CANCELED
    return SeenRun(run.run_id, "canceled" if canceled else "failure", naive, retried)


def _with_promoted(use_case: AnyUseCase, instance: dg.DagsterInstance, run: SeenRun) -> SeenRun:
    """With what was promoted before a run failed: one partition's failure stops no neighbour."""
    if run.ending not in ("failure", "canceled"):
        return run
    asset = dg.AssetKey([use_case.name, "promoted_models"])
    made = dg.DagsterEventType.ASSET_MATERIALIZATION
    found = [instance.get_asset_partitions_for_run(r, made).get(asset, set()) for r in run.lineage]
    return replace(run, promoted=frozenset(name for names in found for name in names if name))


def _find_runs_by_people(
    instance: dg.DagsterInstance, states: Sequence[PartitionState], history: Sequence[Request]
) -> set[str]:
    """Those of the partitions' last training runs that a person has started."""
    partitions = {request.partition for request in history}
    trainings = {s.training.run_id for s in states if s.training and s.partition in partitions}
    others = sorted(trainings - {request.run_id for request in history if request.run_id})
    if not others:
        return set()
    runs = instance.get_runs(dg.RunsFilter(run_ids=others))
    return {run.run_id for run in runs if not any(tag in run.tags for tag in BY_ITSELF)}


def _find_other_training(use_case: AnyUseCase, instance: dg.DagsterInstance) -> str | None:
    """What else trains partitions of this use case at the moment, in words."""
    asset = dg.AssetKey([use_case.name, "trained_models"])
    jobs = (f"{use_case.name}_train", f"{use_case.name}_retrain")
    for run in instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS)):
        trains = run.job_name in jobs or asset in (run.asset_selection or ())
        if trains and REQUEST_TAG not in run.tags:
            return f"run {run.run_id} of {run.job_name} trains at the moment"
    return None
