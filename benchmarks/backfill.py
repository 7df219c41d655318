"""What Dagster adds to a backfill: grouped, trained and promoted models with their checks.

The steps themselves are stand-ins that end at once, so that all the time is Dagster's, and that of
our definitions: it plans a run, records a materialization of each asset and a result of each check
for every partition, on SQLite. Rivals, each on a sample of the partitions, compared by the time of
one of them: Dagster's own event log, which writes event by event, and a run for each
partition, as of ``BackfillPolicy.multi_run(1)``, not counting that a new process and a new Spark
would start for each.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

import dagster as dg
from report import measure, parse_arguments, print_report

from many_models import settings
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import parse_use_case
from many_models.defs.asset_metadata import Made
from many_models.defs.check_results import Checked, CheckResult
from many_models.defs.jobs import RANGE_END, RANGE_START
from many_models.defs.partition_failures import build_executor
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.run_job import run_job

USE_CASE = """
name: benchmark
source: {url: none, table: sales, start: 2023-01-01}
keys: [store_id, item_id]
partitioning: {by: store_id}
time: {column: date, frequency: D}
target: sales
horizon: 28
gaps: zero
"""
CHECKS = {
    "grouped_datasets": ["rows_conserved"],
    "trained_models": ["ledger_complete", "promotion_rules"],
    "promoted_models": ["only_qualified"],
}
STORAGES: Mapping[str, Mapping[str, object]] = {
    "batches": {"module": "many_models.defs.event_log", "class": "BatchingEventLog", "config": {}},
    "event by event": {},
}


def main() -> None:
    sizes = parse_arguments(__doc__ or "", partitions=1000, sample=50, runs=5, rounds=3)
    logging.disable(logging.WARNING)
    use_case = parse_use_case(USE_CASE, name="benchmark")
    names = [f"store {number:05}" for number in range(sizes.partitions)]
    sample = names[: sizes.sample]
    rivals: dict[str, Callable[[], int]] = {
        "one run, events in batches": partial(_backfill, use_case, names, "batches"),
        "one run, event by event": partial(_backfill, use_case, sample, "event by event"),
        "a run for each, event by event": partial(
            _backfill, use_case, names[: sizes.runs], "event by event", at_once=1
        ),
    }
    with _stand_ins():
        cases = measure(rivals, sizes.rounds)
    rates = {case.name: case.rate for case in cases}
    ours = rates["one run, events in batches"]
    ratios = {
        f"{name}: so many times as long for a partition": ours / rate
        for name, rate in rates.items()
        if rate != ours
    }
    ratios["milliseconds a partition, one run, events in batches"] = 1000 / ours
    print_report("backfill", cases, ratios, sizes.json)


def _backfill(
    use_case: AnyUseCase, names: Sequence[str], storage: str, at_once: int | None = None
) -> int:
    """Run the job on all of these partitions, so many at once; returns how many were promoted."""
    os.environ[settings.EVENT_BATCH] = settings.EVENTS_A_BATCH if storage == "batches" else "0"
    overrides = {"event_log_storage": dict(STORAGES[storage])} if STORAGES[storage] else {}
    definitions = dg.Definitions.merge(
        build_many_models_defs(use_case),
        dg.Definitions(resources=build_resources(), executor=build_executor()),
    )
    job = definitions.resolve_job_def(f"{use_case.name}_train")
    with dg.instance_for_test(overrides=overrides) as instance:
        instance.add_dynamic_partitions(f"{use_case.name}_groups", names)
        size = at_once or len(names)
        for start in range(0, len(names), size):
            chosen = names[start : start + size]
            run_job(job, instance, {RANGE_START: chosen[0], RANGE_END: chosen[-1]})
        promoted = dg.AssetKey([use_case.name, "promoted_models"])
        return len(instance.get_materialized_partitions(promoted))


@contextmanager
def _stand_ins() -> Iterator[None]:
    """All that the assets and checks of this job do, done in no time."""
    environ = {settings.HOME: os.environ.get(settings.HOME, ".many_models")}
    settings.fill_environment(environ)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environ))
        for asset, checks in CHECKS.items():
            module = f"many_models.defs.{asset}"
            stack.enter_context(mock.patch(f"{module}.make_{asset}", _make))
            check = partial(_check, tuple(checks))
            stack.enter_context(mock.patch(f"{module}.check_{asset}", check))
        yield


def _make(_: AnyUseCase, keys: Sequence[str], *__: object, **___: object) -> Made:
    figures = {"groups": 10, "rows": 1000, "dagster/partition_row_count": 1000}
    return Made(dict.fromkeys(keys, figures), {"summary": json.dumps(figures)})


def _check(
    checks: Sequence[str], _: AnyUseCase, keys: Sequence[str], *__: object, **___: object
) -> Checked:
    result = CheckResult(True, "10 of 10 models qualify", {"judged": 10, "qualified": 10})
    return {check: dict.fromkeys(keys, result) for check in checks}


if __name__ == "__main__":
    main()
