"""Running a use case from the command line: the same jobs and instance as the Dagster UI has."""

import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from many_models import settings
from many_models.adapters.lake_tables import Lake
from many_models.core.errors import LakeError, UseCaseError
from many_models.core.use_case import UseCase
from many_models.defs.partitions import (
    group_partitions,
    origin_windows,
    raw_windows,
    windows_of,
)
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.steps.group import data_through

logger = logging.getLogger(__name__)

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PROMOTION_CHECK = "promotion_rules"
WORKSPACE = (
    "load_from:\n  - python_module:\n"
    "      module_name: many_models.definitions\n      location_name: many_models\n"
)


@dataclass(frozen=True)
class RunReport:
    """What a run left to tell: checks that failed, as (check, partition, description)."""

    failed_checks: tuple[tuple[str, str, str], ...]

    @property
    def withheld(self) -> list[str]:
        """Partitions whose models did not meet the promotion rules."""
        return sorted(p for name, p, _ in self.failed_checks if name == PROMOTION_CHECK)

    @property
    def broken(self) -> list[tuple[str, str, str]]:
        """Failures of every other check: the data or the platform is at fault."""
        return [check for check in self.failed_checks if check[0] != PROMOTION_CHECK]


def open_instance(home: Path) -> dg.DagsterInstance:
    """The Dagster instance of a home folder, set up at first use."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).parents[1] / "dagster.yaml", folder / "dagster.yaml")
    (folder / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(folder)
    instance = dg.DagsterInstance.get()
    end_killed_runs(instance)
    return instance


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Report runs whose process is gone as failed: a killed one would hold up the queue."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        pids = [
            int(str(event.dagster_event.engine_event_data.metadata["pid"].value))
            for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            if event.dagster_event and "pid" in event.dagster_event.engine_event_data.metadata
        ]
        if pids and not any(map(_alive, pids)):
            instance.report_run_failed(run, "The process of this run was killed.")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class Launcher:
    """Runs the jobs of one use case in this process, so that all share one Spark session."""

    use_case: UseCase
    instance: dg.DagsterInstance

    def run(self, partitions: Sequence[str] = (), *, refresh: bool = False) -> RunReport:
        """Ingest what is new, train these partitions (all by default), score the last origin.

        Raises:
            ManyModelsError: what went wrong, for its reader to act on.
        """
        definitions = dg.Definitions.merge(
            build_many_models_defs(self.use_case),
            dg.Definitions(resources=build_resources(), executor=dg.in_process_executor),
        )
        failed: list[tuple[str, str, str]] = []
        steps = (
            ("ingest", lambda: self._windows_to_ingest(refresh)),
            ("train", lambda: self._partitions_to_train(partitions)),
            ("score", self._origins_to_score),
        )
        for stage, choose in steps:
            job = definitions.resolve_job_def(f"{self.use_case.name}_{stage}")
            for start, end in choose():
                failed += self._execute(job, start, end)
        return RunReport(tuple(failed))

    def _execute(
        self, job: dg.JobDefinition, start: str, end: str
    ) -> Iterable[tuple[str, str, str]]:
        result = job.execute_in_process(
            instance=self.instance,
            run_config=QUIET,
            tags={RANGE_START: start, RANGE_END: end},
        )
        for evaluation in result.get_asset_check_evaluations():
            if not evaluation.passed:
                yield (
                    evaluation.check_name,
                    evaluation.partition or "",
                    evaluation.description or "",
                )

    def _windows_to_ingest(self, refresh: bool) -> list[tuple[str, str]]:
        """Windows not ingested yet, and the last one that was, since it may have been open."""
        keys = list(raw_windows(self.use_case).get_partition_keys())
        asset = dg.AssetKey([self.use_case.name, "raw_data"])
        done = set() if refresh else self.instance.get_materialized_partitions(asset)
        last = max((key for key in keys if key in done), default=None)
        return _ranges(keys, [key for key in keys if key not in done or key == last])

    def _partitions_to_train(self, partitions: Sequence[str]) -> list[tuple[str, str]]:
        name = group_partitions(self.use_case).name or ""
        keys = list(self.instance.get_dynamic_partitions(name))
        if unknown := [key for key in partitions if key not in keys]:
            known = ", ".join(sorted(keys)[:10])
            raise UseCaseError(
                f"use case {self.use_case.name!r} has no partition {unknown[0]!r}; it has {known}"
                + (" ..." if len(keys) > 10 else "")
            )
        if not keys:
            raise LakeError(
                f"the source of {self.use_case.name!r} gave no rows from {self.use_case.source.start} "
                f"to {self.use_case.source.end or 'now'}; look at source.start and source.query"
            )
        return _ranges(keys, list(partitions) or keys)

    def _origins_to_score(self) -> list[tuple[str, str]]:
        """The last origin whose window has data."""
        windows = origin_windows(self.use_case)
        through = data_through(self.use_case, Lake(os.environ[settings.LAKE]))
        found = windows_of(windows, windows.get_partition_keys())
        last = [window.key for window in found if window.start <= through][-1]
        return [(last, last)]


def _ranges(keys: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Runs of neighbours: Dagster's range runs take contiguous partitions only."""
    places = sorted(keys.index(key) for key in chosen)
    starts = [place for place in places if place - 1 not in places]
    ends = [place for place in places if place + 1 not in places]
    return [(keys[start], keys[end]) for start, end in zip(starts, ends, strict=True)]
