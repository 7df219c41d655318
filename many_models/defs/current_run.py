"""The run at hand, as what materializes and checks partitions needs to know it."""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext


@dataclass(frozen=True)
class CurrentRun:
    """A run of whatever kind: of assets, of their checks, or of a job of ops."""

    id: str
    instance: dg.DagsterInstance

    @classmethod
    def of(cls, context: Context) -> "CurrentRun":
        return cls(context.run.run_id, context.instance)

    @property
    def requested_at(self) -> datetime:
        """When it was created, UTC: the same for an asset and the checks that run after it."""
        record = self.instance.get_run_record_by_id(self.id)
        assert record is not None  # it is the run that asks
        return record.create_timestamp.replace(tzinfo=None)

    @property
    def lineage(self) -> frozenset[str]:
        """The run and, where it is a retry, those that it tries again."""
        run = self.instance.get_run_by_id(self.id)
        assert run is not None
        return frozenset({self.id, run.parent_run_id or self.id, run.root_run_id or self.id})
