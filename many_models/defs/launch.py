"""Running a use case from the command line: the same jobs and instance as the Dagster UI has."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError, UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.defs.forecast_accuracy import MEASURED_THROUGH
from many_models.defs.partitions import (
    available_before,
    available_part,
    group_partitions,
    last_time,
    origin_windows,
    raw_windows,
    readable_before,
    utc_now,
    windows_of,
)
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.raw_data import AVAILABLE_BEFORE, SOURCE_DIGEST, source_digest
from many_models.defs.resources import build_resources
from many_models.steps.group import data_through
from many_models.steps.ingest import find_partitions

logger = logging.getLogger(__name__)

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
PROMOTION_CHECK = "promotion_rules"
RECORDS_A_PAGE = 1000
NAMES_SHOWN = 10


@dataclass(frozen=True)
class FailedCheck:
    """A check that failed in one partition."""

    name: str
    partition: str
    description: str


@dataclass(frozen=True)
class RunReport:
    """What a run left to tell."""

    failed_checks: tuple[FailedCheck, ...]

    @property
    def withheld(self) -> list[str]:
        """Partitions whose models did not meet the promotion rules."""
        return sorted(c.partition for c in self.failed_checks if c.name == PROMOTION_CHECK)

    @property
    def broken(self) -> list[FailedCheck]:
        """Failures of every other check: the data or the platform is at fault."""
        return [check for check in self.failed_checks if check.name != PROMOTION_CHECK]


@dataclass(frozen=True)
class Launcher:
    """Runs the jobs of one use case in this process, so that all share one Spark session.

    What goes wrong is a ManyModelsError, for its reader to act on.
    """

    use_case: AnyUseCase
    instance: dg.DagsterInstance

    def run(self, partitions: Sequence[str] = (), *, refresh: bool = False) -> RunReport:
        """Ingest what is new, train these partitions (all by default), score the last origin.

        Then judge earlier predictions by the actuals that have come.
        """
        stages = [self.ingest(refresh=refresh), self.train(partitions), self.score()]
        return RunReport(tuple(check for failed in [*stages, self.measure()] for check in failed))

    def ingest(self, *, refresh: bool = False) -> list[FailedCheck]:
        """Extract the windows that are not ingested to their end, and the last one that is.

        Late rows come into the last one. ``refresh`` extracts every window.
        """
        definition = raw_windows(self.use_case)
        keys = list(definition.get_partition_keys())
        before = available_before(self.use_case, utc_now())
        found = windows_of(definition, keys)
        windows = [available_part(self.use_case, w, datetime.max) for w in found]
        begun = {window.key for window in windows if window.start < before}
        if not begun:
            raise UseCaseError(
                f"use case {self.use_case.name!r} has no data yet: no period is over since its "
                f"source.start, {self.use_case.source.start}"
            )
        reached = {} if refresh else self._ingested_before()
        last = max(reached.keys() & begun, default=None)
        readable = readable_before(self.use_case, before)
        due = [
            window.key
            for window in windows
            if window.start < readable
            and (window.key == last or reached.get(window.key, datetime.min) < window.end)
        ]
        return self._execute("ingest", keys, due)

    def train(self, partitions: Sequence[str] = ()) -> list[FailedCheck]:
        """Group, train, judge and promote these partitions, of all that the raw data has now."""
        keys = self._find_partitions()
        if not keys:
            raise LakeError(
                f"the source of {self.use_case.name!r} gave no rows from "
                f"{self.use_case.source.start} to {self.use_case.source.end or 'now'}; look at "
                "source.start and source.query"
            )
        if unknown := [key for key in partitions if key not in keys]:
            known = ", ".join(sorted(keys)[:NAMES_SHOWN])
            raise UseCaseError(
                f"use case {self.use_case.name!r} has no partition {unknown[0]!r}; it has {known}"
                + (" ..." if len(keys) > NAMES_SHOWN else "")
            )
        return self._execute("train", keys, partitions or keys)

    def score(self) -> list[FailedCheck]:
        """Forecast from the last origin whose window has data."""
        definition = origin_windows(self.use_case)
        keys = list(definition.get_partition_keys())
        through = data_through(self.use_case, _lake())
        begun = [w.key for w in windows_of(definition, keys) if w.start <= through]
        return self._execute("score", keys, begun[-1:])

    def measure(self) -> list[FailedCheck]:
        """Judge the origins of which more actuals have come since they were judged."""
        definition, through = origin_windows(self.use_case), data_through(self.use_case, _lake())
        asset = dg.AssetKey([self.use_case.name, "predictions"])
        predicted = self.instance.get_materialized_partitions(asset)
        reached = dict[str, datetime]()
        for key, metadata in self._materializations("forecast_accuracy"):
            reached.setdefault(key, datetime.fromisoformat(str(metadata[MEASURED_THROUGH])))
        keys = list(definition.get_partition_keys())
        due = [
            window.key
            for window in windows_of(definition, [key for key in keys if key in predicted])
            if reached.get(window.key, window.end - timedelta.resolution)
            < min(through, last_time(self.use_case, window))
        ]
        return self._execute("measure", keys, due)

    def _execute(self, stage: str, keys: Sequence[str], chosen: Sequence[str]) -> list[FailedCheck]:
        """Run a job on these of the partitions ``keys``: one run for each unbroken range."""
        name = f"{self.use_case.name}_{stage}"
        definitions = dg.Definitions.merge(
            build_many_models_defs(self.use_case),
            dg.Definitions(resources=build_resources(), executor=dg.in_process_executor),
        )
        job = definitions.resolve_job_def(name)
        failed: list[FailedCheck] = []
        for start, end in find_ranges(keys, chosen):
            logger.info("%s: %s", name, start if start == end else f"{start} to {end}")
            failed += self._execute_range(job, {RANGE_START: start, RANGE_END: end})
        return failed

    def _execute_range(self, job: dg.JobDefinition, tags: dict[str, str]) -> list[FailedCheck]:
        try:
            result = job.execute_in_process(instance=self.instance, tags=tags)
        except dg.DagsterExecutionInterruptedError as error:
            raise KeyboardInterrupt from error
        return [
            FailedCheck(found.check_name, found.partition or "", found.description or "")
            for found in result.get_asset_check_evaluations()
            if not found.passed
        ]

    def _find_partitions(self) -> list[str]:
        """Partitions of the raw data as it is; what was in others is gone."""
        name = group_partitions(self.use_case).name or ""
        present = find_partitions(self.use_case, _lake())
        known = self.instance.get_dynamic_partitions(name)
        if gone := [key for key in known if key not in set(present)]:
            logger.info("%d partitions have no data any more, such as %s", len(gone), gone[0])
            grouped = _lake().grouped_datasets(self.use_case)
            grouped.replace_files(gone, lambda _: [], run_id="")
            for key in gone:
                self.instance.delete_dynamic_partition(name, key)
        self.instance.add_dynamic_partitions(name, present)
        return list(self.instance.get_dynamic_partitions(name))

    def _ingested_before(self) -> dict[str, datetime]:
        """How far each window's last extraction from the source as it is now could reach."""
        digest, reached = source_digest(self.use_case), dict[str, datetime]()
        for key, metadata in self._materializations("raw_data"):
            if metadata.get(SOURCE_DIGEST) != digest:
                break  # what is older may have made room for this
            reached.setdefault(key, datetime.fromisoformat(str(metadata[AVAILABLE_BEFORE])))
        return reached

    def _materializations(self, name: str) -> Iterator[tuple[str, dict[str, object]]]:
        """Partition and metadata of each materialization of an asset, the latest first."""
        asset = dg.AssetKey([self.use_case.name, name])
        cursor, more = None, True
        while more:
            page = self.instance.fetch_materializations(asset, RECORDS_A_PAGE, cursor)
            for record in page.records:
                found = record.asset_materialization
                if found and found.partition:
                    yield found.partition, {n: v.value for n, v in found.metadata.items()}
            cursor, more = page.cursor, page.has_more


def _lake() -> Lake:
    return Lake(os.environ[settings.LAKE])


def find_ranges(keys: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, str]]:
    """Runs of neighbours: Dagster's range runs take contiguous partitions only."""
    place_of = {key: place for place, key in enumerate(keys)}
    places = {place_of[key] for key in chosen}
    starts = sorted(place for place in places if place - 1 not in places)
    ends = sorted(place for place in places if place + 1 not in places)
    return [(keys[start], keys[end]) for start, end in zip(starts, ends, strict=True)]
