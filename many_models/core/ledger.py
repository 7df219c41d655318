"""The ledger: one row per group per run, whatever happened to the group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from many_models.core.closeup import CLOSEUP, CLOSEUP_TYPE, CloseUp
from many_models.core.cost import NO_COST, Cost
from many_models.core.dataset import Problem
from many_models.core.explanation import EFFECTS, EFFECTS_TYPE, ModelEffect
from many_models.core.keys import group_key
from many_models.core.metrics import METRICS
from many_models.core.use_case import UseCase

Status = Literal["trained", "skipped", "failed"]
NOT_IN_LEDGER = ("payload", EFFECTS, CLOSEUP)
"""Columns of a training result that go elsewhere than into the ledger."""


@dataclass(frozen=True, slots=True)
class Training:
    """What training made of one group that was trained; metrics are the winning candidate's.

    ``coverages`` are by column of the ledger, one for each level of ``validation``.
    ``latest_mae`` is its mean absolute error in the latest fold alone, in the target's unit.
    ``effects`` explain the model; ``closeup`` is there of a few groups only.
    """

    candidate: str
    score: float
    baseline_score: float
    candidate_scores: str
    coverages: dict[str, float]
    latest_mae: float
    metrics: dict[str, float]
    folds: int
    evaluated_from: np.datetime64
    payload: bytes
    payload_sha256: str
    effects: tuple[ModelEffect, ...] = ()
    closeup: CloseUp | None = None


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """How one group ended: trained (with ``training``), or skipped or failed (with ``problem``).

    A trained group may carry a problem too: the candidates that failed on it.
    """

    key: tuple[str, ...]
    statics: tuple[str, ...]
    status: Status
    observations: int
    first_time: np.datetime64 | None
    last_time: np.datetime64 | None
    cost: Cost = NO_COST
    problem: Problem | None = None
    training: Training | None = None


def training_schema(use_case: UseCase) -> pa.Schema:
    """Columns of a shard's training result: the ledger's, and ``NOT_IN_LEDGER``."""
    time = pa.timestamp("us")
    return pa.schema(
        [
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
            *((name, pa.string()) for name in use_case.features.static),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("error", pa.string()),
            ("traceback", pa.string()),
            ("observations", pa.int64()),
            ("first_time", time),
            ("last_time", time),
            ("trained_through", time),
            ("candidate", pa.string()),
            ("score", pa.float64()),
            ("baseline_score", pa.float64()),
            ("candidate_scores", pa.string()),
            *((name, pa.float64()) for name in METRICS),
            *((name, pa.float64()) for name in use_case.validation.coverage_columns),
            ("latest_mae", pa.float64()),
            ("folds", pa.int64()),
            ("evaluated_from", time),
            ("seconds", pa.float64()),
            ("core_seconds", pa.float64()),
            ("payload_sha256", pa.string()),
            ("payload_bytes", pa.int64()),
            ("payload", pa.binary()),
            (EFFECTS, EFFECTS_TYPE),
            (CLOSEUP, CLOSEUP_TYPE),
        ]
    )


def training_table(
    outcomes: Iterable[GroupOutcome],
    use_case: UseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
) -> pa.Table:
    """Outcomes as a table in ``training_schema``."""
    rows = []
    for outcome in outcomes:
        training = asdict(outcome.training) if outcome.training else {}
        problem = asdict(outcome.problem) if outcome.problem else {}
        rows.append(
            {
                **training,
                **training.get("metrics", {}),
                **training.get("coverages", {}),
                **dict(zip(use_case.keys, outcome.key, strict=True)),
                **dict(zip(use_case.features.static, outcome.statics, strict=True)),
                "partition": partition,
                "group_key": group_key(use_case.keys, outcome.key),
                "status": outcome.status,
                "reason": problem.get("reason"),
                "error": problem.get("error"),
                "traceback": problem.get("traceback"),
                "observations": outcome.observations,
                "first_time": outcome.first_time,
                "last_time": outcome.last_time,
                "trained_through": trained_through,
                "seconds": outcome.cost.seconds,
                "core_seconds": outcome.cost.core_seconds,
                "payload_bytes": len(training["payload"]) if training else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=training_schema(use_case))
