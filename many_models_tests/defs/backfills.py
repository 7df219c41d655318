"""Dagster's backfills without its daemon, and what its pages say of them."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster_graphql.test.utils import execute_dagster_graphql

from many_models.core.use_case import AnyUseCase

_IN_THIS_PROCESS = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {
        "module": "dagster._core.run_coordinator.default_run_coordinator",
        "class": "DefaultRunCoordinator",
    },
    "event_log_storage": {
        "module": "many_models.defs.event_log",
        "class": "BatchingEventLog",
        "config": {},
    },
}
_STATUSES = """
query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetPartitionStatuses { ... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions unmaterializedPartitions } } } } }
"""


@contextmanager
def backfill_instance(**settings: object) -> Iterator[dg.DagsterInstance]:
    """An instance whose runs are launched here, and waited for."""
    with dg.instance_for_test(overrides={**_IN_THIS_PROCESS, **settings}) as made:
        yield made


@dataclass
class Backfills:
    """Backfills of grouped, trained and promoted models, as the UI launches them."""

    use_case: AnyUseCase
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    count: int = 0

    @classmethod
    @contextmanager
    def of(cls, use_case: AnyUseCase, instance: dg.DagsterInstance) -> "Iterator[Backfills]":
        target = ModuleTarget("many_models.definitions", None, str(Path.cwd()), "many_models")
        with create_test_daemon_workspace_context(target, instance) as workspace:
            yield cls(use_case, instance, workspace)

    def run(self, partitions: Sequence[str], *, all_partitions: bool = False) -> tuple[str, int]:
        """Status of a backfill of these partitions once it is over, and how many runs it took."""
        self.count += 1
        number = f"b{self.count}"
        names = ("grouped_datasets", "trained_models", "promoted_models")
        self.instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                backfill_id=number,
                asset_graph=self.workspace.create_request_context().asset_graph,
                partition_names=None if all_partitions else list(partitions),
                asset_selection=[dg.AssetKey([self.use_case.name, name]) for name in names],
                backfill_timestamp=time.time(),
                tags={},
                dynamic_partitions_store=self.instance,
                all_partitions=all_partitions,
                title=None,
                description=None,
                run_config=None,
            )
        )
        for _ in range(10):
            list(execute_backfill_iteration(self.workspace, logging.getLogger("backfill")))
            found = self.instance.get_backfill(number)
            assert found is not None
            status = found.status.value
            if status.startswith(("COMPLETED", "FAILED")):
                break
        runs = self.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": number}))
        return status, len(runs)

    def statuses(self, asset: str) -> dict[str, list[str]]:
        """Partitions of an asset by their status, as its page shows them."""
        request = self.workspace.create_request_context()
        variables = {"key": {"path": [self.use_case.name, asset]}}
        answer: Any = execute_dagster_graphql(request, _STATUSES, variables)
        found = answer.data["assetNodeOrError"]["assetPartitionStatuses"]
        return {name.removesuffix("Partitions"): sorted(keys) for name, keys in found.items()}
