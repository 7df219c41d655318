"""The ledger of a training run: one row for each group, with the model that it has since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from many_models import __version__
from many_models.core.config_version import config_version
from many_models.core.registration import ModelVersion, RegistrationFailure
from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True, slots=True)
class Run:
    """Who trains, and when: goes into every ledger row and onto every model."""

    run_id: str
    started: datetime


def write_ledger(
    use_case: AnyUseCase,
    table: pa.Table,
    outcomes: Sequence[ModelVersion | RegistrationFailure],
    run: Run,
    data_version: int,
) -> pa.Table:
    """Ledger rows: what training said, and under which name and version the model stands.

    ``outcomes`` are those of the table's trained groups, in their order.
    """
    found = iter(outcomes)
    statuses = table["status"].to_pylist()
    by_row = [next(found) if status == "trained" else None for status in statuses]
    versions = [o if isinstance(o, ModelVersion) else None for o in by_row]
    errors = [o.error if isinstance(o, RegistrationFailure) else None for o in by_row]
    refused = pa.array([error is not None for error in errors], pa.bool_())
    columns: dict[str, object] = {
        **{name: table[name] for name in table.column_names},
        "status": pc.if_else(refused, "failed", table["status"]),
        "reason": pc.if_else(refused, "registration_failed", table["reason"]),
        "error": pc.if_else(refused, pa.array(errors, pa.string()), table["error"]),
        "run_id": [run.run_id] * len(table),
        "trained_at": [run.started.replace(tzinfo=None)] * len(table),
        "data_version": [data_version] * len(table),
        "code_version": [__version__] * len(table),
        "config_version": [config_version(use_case)] * len(table),
        "model_name": [version and version.name for version in versions],
        "model_version": [version and version.version for version in versions],
        "model_run_id": [version and version.run_id for version in versions],
    }
    return pa.table(columns, schema=ledger_schema(use_case))
