"""Columns of what the pipeline writes where the shape of the problem does not tell them."""

from __future__ import annotations

import pyarrow as pa

from many_models.core.ledger import NOT_IN_LEDGER
from many_models.core.shapes import shape_of
from many_models.core.shifted_rows import SHIFT_SCHEMA
from many_models.core.use_case import AnyUseCase

_TEXT, _WHOLE, _REAL, _FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_TIME = pa.timestamp("us")


def ledger_schema(use_case: AnyUseCase) -> pa.Schema:
    """Columns of the ledger: those of training, then which run and model it was."""
    training = shape_of(use_case).training_schema(use_case)
    fields = [field for field in training if field.name not in NOT_IN_LEDGER]
    added = [
        ("run_id", _TEXT),
        ("trained_at", _TIME),
        ("data_version", _WHOLE),
        ("code_version", _TEXT),
        ("config_version", _TEXT),
        ("model_name", _TEXT),
        ("model_version", _WHOLE),
        ("model_run_id", _TEXT),
    ]
    return pa.schema([*fields, *(pa.field(*item) for item in added)])


def verdict_schema(use_case: AnyUseCase) -> pa.Schema:
    """Columns of the verdicts table: one row per trained model; a pooled one has no key."""
    return pa.schema(
        [
            ("run_id", _TEXT),
            ("trained_at", _TIME),
            ("partition", _TEXT),
            ("group_key", _TEXT),
            *((name, _TEXT) for name in use_case.keys),
            ("model_name", _TEXT),
            ("model_version", _WHOLE),
            ("model_run_id", _TEXT),
            ("candidate", _TEXT),
            ("score", _REAL),
            ("baseline_score", _REAL),
            ("compared_score", _REAL),
            ("champion_score", _REAL),
            ("compared_by", _TEXT),
            ("coverage", _REAL),
            ("qualified", _FLAG),
            ("accepted", _FLAG),
            ("reason", _TEXT),
            ("broken_rules", _TEXT),
            ("decided_at", _TIME),
        ]
    )


def pooled_schema() -> pa.Schema:
    """Columns of the table ``pooled``: one row for each partition with a pooled model.

    ``score`` and ``baseline_score`` are medians over the groups that were judged, ``share_better``
    is the share of these in which it beats the baseline.
    """
    return pa.schema(
        [
            ("run_id", _TEXT),
            ("trained_at", _TIME),
            ("partition", _TEXT),
            ("model_name", _TEXT),
            ("model_version", _WHOLE),
            ("model_run_id", _TEXT),
            ("error", _TEXT),
            ("groups", _WHOLE),
            ("rows", _WHOLE),
            ("groups_judged", _WHOLE),
            ("score", _REAL),
            ("baseline_score", _REAL),
            ("share_better", _REAL),
            ("coverage", _REAL),
            ("evaluated_from", _TIME),
            ("trained_through", _TIME),
            ("seconds", _REAL),
        ]
    )


def drift_schema(use_case: AnyUseCase) -> pa.Schema:
    """Columns of the drift table: one row for each group's champion."""
    return pa.schema(
        [
            ("partition", _TEXT),
            ("group_key", _TEXT),
            *((name, _TEXT) for name in use_case.keys),
            ("model_name", _TEXT),
            ("model_version", _WHOLE),
            ("candidate", _TEXT),
            ("trained_through", _TIME),
            ("measured_at", _TIME),
            ("data_through", _TIME),
            ("age_days", _REAL),
            ("judged", _WHOLE),
            ("promised", _REAL),
            ("error", _REAL),
            ("excess", _REAL),
            ("drifted_since", _TIME),
            *(field for field in SHIFT_SCHEMA if field.name not in ("group_key", "shifted")),
            ("drifted", _FLAG),
            ("shifted", _FLAG),
            ("stale", _FLAG),
            ("run_id", _TEXT),
        ]
    )


def retraining_schema() -> pa.Schema:
    """Columns of the audit: one row for each request of a partition."""
    return pa.schema(
        [
            ("request_id", _TEXT),
            ("partition", _TEXT),
            ("reason", _TEXT),
            ("subject", _TEXT),
            ("detail", _TEXT),
            ("value", _REAL),
            ("estimated_core_seconds", _REAL),
            ("attempt", _WHOLE),
            ("requested_at", _TIME),
            ("champions_through", _TIME),
            ("run_id", _TEXT),
            ("outcome", _TEXT),
            ("ended_at", _TIME),
            ("trained", _WHOLE),
            ("promoted", _WHOLE),
            ("kept", _WHOLE),
            ("core_seconds", _REAL),
            ("gone_since", _TIME),
        ]
    )


ROLLBACKS = pa.schema(
    [
        ("rollback_id", _TEXT),
        ("rolled_back_at", _TIME),
        ("rolled_back_by", _TEXT),
        ("reason", _TEXT),
        ("partition", _TEXT),
        ("group_key", _TEXT),
        ("model_name", _TEXT),
        ("from_version", _WHOLE),
        ("to_version", _WHOLE),
    ]
)
STAGES = pa.schema(
    [
        ("run_id", _TEXT),
        ("stage", _TEXT),
        ("started_at", _TIME),
        ("seconds", _REAL),
        ("partitions", _WHOLE),
        ("rows", _WHOLE),
    ]
)
