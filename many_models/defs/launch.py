"""Running a use case from the command line: the same jobs and instance as the Dagster UI has."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError, SourceError
from many_models.core.use_case import AnyUseCase
from many_models.defs.due import (
    due_origins,
    due_windows,
    newest_origins,
    promoted_partitions,
    sync_partitions,
)
from many_models.defs.jobs import RANGE_END, RANGE_START
from many_models.defs.partition_failures import build_executor
from many_models.defs.partitions import group_partitions, origin_windows, raw_windows
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.run_job import run_job
from many_models.defs.selections import retrain_config
from many_models.defs.stage_ops import existing

logger = logging.getLogger(__name__)

PROMOTION_CHECK = "promotion_rules"
DRIFT_CHECKS = frozenset(["accuracy_as_promised", "data_as_trained", "models_fresh"])


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed in one partition, or an asset that could not be made of it.

    Where the check has no partitions, the name is empty.
    """

    name: str
    partition: str
    description: str
    is_warning: bool = False


@dataclass(frozen=True)
class RunReport:
    """What a run left to tell."""

    failed_checks: tuple[FailedCheck, ...]

    @property
    def withheld(self) -> list[str]:
        """Partitions whose models did not meet the promotion rules."""
        return sorted(c.partition for c in self.failed_checks if c.name == PROMOTION_CHECK)

    @property
    def drifted(self) -> list[FailedCheck]:
        """Failures of the checks that ask for models to be trained again."""
        return [check for check in self.failed_checks if check.name in DRIFT_CHECKS]

    @property
    def broken(self) -> list[FailedCheck]:
        """Failures of every other check: the data or the platform is at fault."""
        return [check for check in self._others if not check.is_warning]

    @property
    def warnings(self) -> list[FailedCheck]:
        """Failures that somebody should look at, though nothing is broken."""
        return [check for check in self._others if check.is_warning]

    @property
    def _others(self) -> list[FailedCheck]:
        known = {PROMOTION_CHECK, *DRIFT_CHECKS}
        return [check for check in self.failed_checks if check.name not in known]


@dataclass(frozen=True)
class Launcher:
    """Runs the jobs of one use case in this process, so that all share one Spark session.

    What goes wrong is a ManyModelsError, for its reader to act on.
    """

    use_case: AnyUseCase
    instance: dg.DagsterInstance

    def run(self, partitions: Sequence[str] = (), *, refresh: bool = False) -> RunReport:
        """Ingest what is new, train these partitions (all by default), score the last origin.

        Then judge earlier predictions by the actuals that have come, and the champions by these.
        """
        stages = [self.ingest(refresh=refresh), self.train(partitions), self.score()]
        stages += [self.measure(), self.drift()]
        return RunReport(tuple(check for failed in stages for check in failed))

    def ingest(self, *, refresh: bool = False) -> list[FailedCheck]:
        """Extract the windows that are due; ``refresh`` extracts every window.

        Raises:
            SourceError: some windows hold what does not fit; the others are in the lake.
        """
        keys = list(raw_windows(self.use_case).get_partition_keys())
        due = due_windows(self.use_case, self.instance, refresh=refresh)
        failed = self._execute("ingest", keys, due)
        if lost := [found for found in failed if found.name == "raw_data"]:
            raise SourceError(
                f"{len(lost)} of {len(due)} windows were not extracted, and nothing is trained "
                f"without them; that of {lost[0].partition}: {lost[0].description}"
            )
        return failed

    def train(self, partitions: Sequence[str] = ()) -> list[FailedCheck]:
        """Group, train, judge and promote these partitions, of all that the raw data has now."""
        keys = sync_partitions(self.use_case, self.instance, _lake())
        if not keys:
            raise LakeError(
                f"the source of {self.use_case.name!r} gave no rows from "
                f"{self.use_case.source.start} to {self.use_case.source.end or 'now'}; look at "
                "source.start and source.query"
            )
        chosen = existing(self.use_case, "partition", partitions or keys, keys)
        if len(find_ranges(keys, chosen)) > 1:
            return self._execute_job("retrain", config=retrain_config(self.use_case, chosen))
        return self._execute("train", keys, chosen)

    def score(self) -> list[FailedCheck]:
        """Forecast from the last origin whose window has data."""
        keys = list(origin_windows(self.use_case).get_partition_keys())
        return self._execute("score", keys, newest_origins(self.use_case, _lake()))

    def measure(self) -> list[FailedCheck]:
        """Judge the origins of which more actuals have come since they were judged."""
        keys = list(origin_windows(self.use_case).get_partition_keys())
        due = due_origins(self.use_case, self.instance, _lake())
        return self._execute("measure", keys, due)

    def drift(self) -> list[FailedCheck]:
        """Hold the champions of all partitions against the promise of their backtest."""
        name = group_partitions(self.use_case).name or ""
        keys = list(self.instance.get_dynamic_partitions(name))
        return self._execute("drift", keys, promoted_partitions(self.use_case, self.instance, keys))

    def _execute(self, stage: str, keys: Sequence[str], chosen: Sequence[str]) -> list[FailedCheck]:
        """Run a job of assets on these of ``keys``: one run for each unbroken range."""
        return [
            failed
            for start, end in find_ranges(keys, chosen)
            for failed in self._execute_job(stage, tags={RANGE_START: start, RANGE_END: end})
        ]

    def _execute_job(
        self, stage: str, *, tags: dict[str, str] | None = None, config: dg.RunConfig | None = None
    ) -> list[FailedCheck]:
        name = f"{self.use_case.name}_{stage}"
        definitions = dg.Definitions.merge(
            build_many_models_defs(self.use_case),
            dg.Definitions(resources=build_resources(), executor=build_executor()),
        )
        logger.info("%s: %s", name, " to ".join(sorted(set((tags or {}).values()))) or "chosen")
        try:
            job = definitions.resolve_job_def(name)
            ended = run_job(job, self.instance, tags or {}, config)
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        checked = [
            event.asset_check_evaluation_data
            for event in ended.events
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ]
        return [
            *(
                FailedCheck(
                    found.check_name,
                    found.partition or "",
                    found.description or "",
                    is_warning=found.severity == dg.AssetCheckSeverity.WARN,
                )
                for found in checked
                if not found.passed
            ),
            *(
                FailedCheck(step.rpartition("__")[2], partition, reason)
                for step, failure in ended.failures.items()
                for partition, reason in failure.reasons.items()
            ),
        ]


def _lake() -> Lake:
    return Lake(os.environ[settings.LAKE])


def find_ranges(keys: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Runs of neighbours: Dagster's range runs take contiguous partitions only."""
    place_of = {key: place for place, key in enumerate(keys)}
    places = {place_of[key] for key in chosen}
    starts = sorted(place for place in places if place - 1 not in places)
    ends = sorted(place for place in places if place + 1 not in places)
    return [(keys[start], keys[end]) for start, end in zip(starts, ends, strict=True)]
