"""The ledger of regression and classification: what it tells beyond what every ledger tells."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.core.explanation import EFFECTS, ModelEffect, as_rows
from many_models.core.ledger import GroupOutcome, make_training_schema, make_training_table
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

    def columns(self, use_case: TabularUseCase) -> dict[str, object]:
        own, baseline = self.metrics[self.candidate], self.metrics[use_case.baseline]
        finite = {
            candidate: {name: value for name, value in figures.items() if math.isfinite(value)}
            for candidate, figures in self.metrics.items()
        }
        ratings = {c: rating for c, rating in self.ratings.items() if math.isfinite(rating)}
        scores = {c: f[use_case.metric] for c, f in finite.items() if use_case.metric in f}
        return {
            "candidate": self.candidate,
            "score": own[use_case.metric],
            "baseline_score": baseline[use_case.metric],
            "candidate_scores": json.dumps(scores),
            "candidate_ratings": json.dumps(ratings),
            **own,
            **{f"baseline_{name}": value for name, value in baseline.items()},
            "candidate_metrics": json.dumps(finite),
            "holdout_rows": self.holdout_rows,
            "holdout_digest": self.holdout_digest,
            "evaluated_from": self.evaluated_from,
            "classes": self.classes,
            "payload": self.payload,
            "payload_sha256": self.payload_sha256,
            EFFECTS: as_rows(self.effects),
        }


TabularOutcome = GroupOutcome[TrainedModel]


def training_schema(use_case: TabularUseCase) -> pa.Schema:
    """Columns of a shard's training result: the ledger's, and ``NOT_IN_LEDGER``."""
    metrics = METRICS_OF[use_case.problem]
    figures = [
        ("candidate_ratings", pa.string()),
        *((name, pa.float64()) for name in metrics),
        *((f"baseline_{name}", pa.float64()) for name in metrics),
        ("candidate_metrics", pa.string()),
        ("holdout_rows", pa.int64()),
        ("holdout_digest", pa.string()),
        ("classes", pa.int64()),
    ]
    return make_training_schema(use_case, figures)


def training_table(
    outcomes: Iterable[TabularOutcome],
    use_case: TabularUseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
) -> pa.Table:
    """Outcomes as a table in ``training_schema``."""
    schema = training_schema(use_case)
    return make_training_table(
        outcomes, use_case, schema, partition=partition, trained_through=trained_through
    )
