"""The ledger of regression and classification: one row per group per run, whatever happened."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.core.cost import NO_COST, Cost
from many_models.core.dataset import Problem
from many_models.core.explanation import EFFECTS, EFFECTS_TYPE, ModelEffect, as_rows
from many_models.core.keys import group_key
from many_models.core.ledger import Status
from many_models.core.tabular.metrics import METRICS_OF
from many_models.core.tabular.use_case import TabularUseCase


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What training made of one group: ``metrics`` of each candidate on the rows held out.

    ``ratings`` are what it was chosen by: the metric of each on other rows. ``evaluated_from`` is
    the first time among those ``holdout_rows``, and ``holdout_digest`` tells whether other rows are
    the same. ``effects`` explain the model.
    """

    candidate: str
    ratings: Mapping[str, float]
    metrics: Mapping[str, Mapping[str, float]]
    holdout_rows: int
    holdout_digest: str
    evaluated_from: np.datetime64
    classes: int
    payload: bytes
    payload_sha256: str
    effects: tuple[ModelEffect, ...] = ()


@dataclass(frozen=True, slots=True)
class TabularOutcome:
    """How one group ended: trained (with ``model``), or skipped or failed (with ``problem``).

    ``observations`` are rows with a target. A trained group may carry a problem too: the candidates
    that failed on it.
    """

    key: tuple[str, ...]
    status: Status
    observations: int
    first_time: np.datetime64 | None
    last_time: np.datetime64 | None
    cost: Cost = NO_COST
    problem: Problem | None = None
    model: TrainedModel | None = None


def training_schema(use_case: TabularUseCase) -> pa.Schema:
    """Columns of a shard's training result: the ledger's, and ``NOT_IN_LEDGER``."""
    time, metrics = pa.timestamp("us"), METRICS_OF[use_case.problem]
    return pa.schema(
        [
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
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
            ("candidate_ratings", pa.string()),
            *((name, pa.float64()) for name in metrics),
            *((f"baseline_{name}", pa.float64()) for name in metrics),
            ("candidate_metrics", pa.string()),
            ("holdout_rows", pa.int64()),
            ("holdout_digest", pa.string()),
            ("evaluated_from", time),
            ("classes", pa.int64()),
            ("seconds", pa.float64()),
            ("core_seconds", pa.float64()),
            ("payload_sha256", pa.string()),
            ("payload_bytes", pa.int64()),
            ("payload", pa.binary()),
            (EFFECTS, EFFECTS_TYPE),
        ]
    )


def training_table(
    outcomes: Iterable[TabularOutcome],
    use_case: TabularUseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
) -> pa.Table:
    """Outcomes as a table in ``training_schema``."""
    rows = [
        {
            **(_figures(outcome.model, use_case) if outcome.model else {}),
            **dict(zip(use_case.keys, outcome.key, strict=True)),
            "partition": partition,
            "group_key": group_key(use_case.keys, outcome.key),
            "status": outcome.status,
            "reason": outcome.problem.reason if outcome.problem else None,
            "error": outcome.problem.error if outcome.problem else None,
            "traceback": outcome.problem.traceback if outcome.problem else None,
            "observations": outcome.observations,
            "first_time": outcome.first_time,
            "last_time": outcome.last_time,
            "trained_through": trained_through,
            "seconds": outcome.cost.seconds,
            "core_seconds": outcome.cost.core_seconds,
        }
        for outcome in outcomes
    ]
    return pa.Table.from_pylist(rows, schema=training_schema(use_case))


def _figures(model: TrainedModel, use_case: TabularUseCase) -> dict[str, object]:
    own, baseline = model.metrics[model.candidate], model.metrics[use_case.baseline]
    finite = {
        candidate: {name: value for name, value in figures.items() if math.isfinite(value)}
        for candidate, figures in model.metrics.items()
    }
    ratings = {c: rating for c, rating in model.ratings.items() if math.isfinite(rating)}
    scores = {c: f[use_case.metric] for c, f in finite.items() if use_case.metric in f}
    return {
        "candidate": model.candidate,
        "score": own[use_case.metric],
        "baseline_score": baseline[use_case.metric],
        "candidate_scores": json.dumps(scores),
        "candidate_ratings": json.dumps(ratings),
        **own,
        **{f"baseline_{name}": value for name, value in baseline.items()},
        "candidate_metrics": json.dumps(finite),
        "holdout_rows": model.holdout_rows,
        "holdout_digest": model.holdout_digest,
        "evaluated_from": model.evaluated_from,
        "classes": model.classes,
        "payload": model.payload,
        "payload_sha256": model.payload_sha256,
        "payload_bytes": len(model.payload),
        EFFECTS: as_rows(model.effects),
    }
