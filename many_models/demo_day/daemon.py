"""Asks sensors and runs what they request, as Dagster's daemon does, but when the story says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from many_models.core.use_case import AnyUseCase
from many_models.defs.new_data import RUN_KEY
from many_models.defs.partition_failures import build_executor
from many_models.defs.pipeline import build_many_models_defs
from many_models.defs.resources import build_resources
from many_models.defs.run_job import run_job


@dataclass(frozen=True)
class Ran:
    """A run that a sensor has asked for: of which windows or partitions, and how it ended.

    ``failed`` are the checks that failed, with the partitions in which they did, if they have any.
    """

    job: str
    names: tuple[str, ...]
    failed: Mapping[str, tuple[str, ...]]


@dataclass
class Daemon:
    """Dagster's daemon for one use case, in this process, so that all runs share one Spark."""

    use_case: AnyUseCase
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def ask(self, sensor: str) -> list[Ran]:
        """Evaluate ``<use case>_<sensor>``, and run what it requests to its end."""
        definitions = dg.Definitions.merge(
            build_many_models_defs(self.use_case),
            dg.Definitions(resources=build_resources(), executor=build_executor()),
        )
        found = definitions.get_repository_def().get_sensor_def(f"{self.use_case.name}_{sensor}")
        resources = {
            n: r for n, r in build_resources().items() if n in found.required_resource_keys
        }
        with dg.build_sensor_context(
            self.instance, cursor=self.cursors.get(sensor), resources=resources
        ) as context:
            tick = found.evaluate_tick(context)
        for event in tick.asset_events:
            self.instance.report_runless_asset_event(event)
        self.cursors[sensor] = tick.cursor
        self.skipped[sensor] = tick.skip_message or ""
        return [
            self._run(definitions.resolve_job_def(str(request.job_name or found.job_name)), request)
            for request in tick.run_requests or []
        ]

    def _run(self, job: dg.JobDefinition, request: dg.RunRequest) -> Ran:
        tags = {**request.tags, RUN_KEY: str(request.run_key)}
        ended = run_job(job, self.instance, tags, request.run_config)
        failed: dict[str, set[str]] = {}
        for event in ended.events:
            if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                found = event.asset_check_evaluation_data
                if not found.passed:
                    of_check = failed.setdefault(found.check_name, set())
                    of_check |= {found.partition} if found.partition else set()
        (config,) = request.run_config["ops"].values()
        names = config["config"].get("windows") or config["config"]["partitions"]
        return Ran(job.name, tuple(names), {n: tuple(sorted(p)) for n, p in failed.items()})
