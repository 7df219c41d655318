"""Which groups their models serve worst, measured by the baseline's score on the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.closeup import CloseUp
from many_models.core.forecast.ledger import ForecastOutcome
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key
from many_models.core.scoring import Champion

WORST = 3


def shortfall(score: float, baseline_score: float, *, higher_is_better: bool) -> float:
    """How bad a score is beside the baseline's; the higher, the worse.

    The score in units of the baseline's, or how far it is below where higher is better.
    """
    if higher_is_better:
        return baseline_score - score
    if baseline_score == 0:
        return 1.0 if score == 0 else math.inf
    return score / baseline_score


def find_worst(
    scores: Mapping[int, tuple[float, float]], *, higher_is_better: bool, most: int = WORST
) -> list[int]:
    """Those of some groups with the worst scores, beside the baseline's, worst first.

    Where two fall equally short, as they do when the baseline itself has won, the worse score goes
    first.
    """
    sign = -1 if higher_is_better else 1

    def badness(group: int) -> tuple[float, float, int]:
        score, baseline = scores[group]
        return shortfall(score, baseline, higher_is_better=higher_is_better), sign * score, -group

    return sorted(scores, key=badness, reverse=True)[:most]


def keep_worst(
    outcomes: Sequence[ForecastOutcome],
    table: pa.Table,
    offsets: Ints,
    use_case: UseCase,
    *,
    origin: np.datetime64,
) -> list[ForecastOutcome]:
    """A shard's outcomes, with close-ups of the worst groups only; these get their forecast.

    ``table`` holds the groups' rows, delimited by ``offsets`` (G + 1).
    """
    scores = {
        group: (outcome.training.score, outcome.training.baseline_score)
        for group, outcome in enumerate(outcomes)
        if outcome.training
    }
    worst = sorted(find_worst(scores, higher_is_better=use_case.higher_is_better))
    parts = [table.slice(offsets[g], offsets[g + 1] - offsets[g]) for g in worst]
    forecasts = _forecast(parts, [outcomes[g] for g in worst], use_case, origin) if parts else {}
    return [
        _with_close_up(outcome, forecasts.get(outcome.key), is_kept=group in worst)
        for group, outcome in enumerate(outcomes)
    ]


def _with_close_up(
    outcome: ForecastOutcome, forecast: Floats | None, *, is_kept: bool
) -> ForecastOutcome:
    training = outcome.training
    if training is None or training.closeup is None:
        return outcome
    closeup: CloseUp | None = training.closeup if is_kept else None
    if closeup is not None and forecast is not None:
        prediction, lower, upper = forecast.tolist()
        closeup = replace(closeup, prediction=prediction, lower=lower, upper=upper)
    return replace(outcome, training=replace(training, closeup=closeup))


def _forecast(
    parts: Sequence[pa.Table],
    outcomes: Sequence[ForecastOutcome],
    use_case: UseCase,
    origin: np.datetime64,
) -> dict[tuple[str, ...], Floats]:
    """Prediction and bounds (3, H) of each group's new model, as it would be served, by key."""
    models = {
        group_key(use_case.keys, outcome.key): Champion("", 0, outcome.training.payload)
        for outcome in outcomes
        if outcome.training
    }
    table = pa.concat_tables(parts)
    predictions = score_shard(table, models, use_case, partition="", origin=origin).predictions
    served = predictions.filter(pc.equal(predictions["source"], "model"))
    columns = [served[name].to_numpy() for name in ("prediction", "lower", "upper")]
    found = np.stack(columns).reshape(3, -1, use_case.horizon)
    keys = served["group_key"].to_pylist()[:: use_case.horizon]
    by_text = {group_key(use_case.keys, outcome.key): outcome.key for outcome in outcomes}
    return {by_text[key]: found[:, number] for number, key in enumerate(keys)}
