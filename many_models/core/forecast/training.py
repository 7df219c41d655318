"""Training one shard: screen, backtest, choose, refit; one outcome for every group.

Pure: an Arrow table of whole groups in, an Arrow table of ledger rows and payloads out. Many groups
go through at once; when that fails, they are halved until the group at fault stands alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from many_models.core.arrays import Floats, Ints
from many_models.core.cost import NO_COST, Allowance, Cost, Stopwatch
from many_models.core.explanation import explain
from many_models.core.failure import Problem, describe_error, describe_failures
from many_models.core.forecast.backtest import Backtest, fit_candidate, fold_origins, run_backtest
from many_models.core.forecast.candidates.ensemble import ENSEMBLES, MEDIAN, Ensemble, weigh
from many_models.core.forecast.candidates.port import FittedCandidate, Sample
from many_models.core.forecast.closeup import close_up
from many_models.core.forecast.dataset import Dataset, read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.folds import folds_of
from many_models.core.forecast.ledger import ForecastOutcome, Training, training_table
from many_models.core.forecast.metrics import METRICS
from many_models.core.forecast.model import ForecastModel
from many_models.core.forecast.panel import (
    Panel,
    build_panel,
    count_observed,
    first_observed,
    last_observed,
)
from many_models.core.forecast.pooled.contender import Contender, PooledFits
from many_models.core.forecast.screening import find_reasons_to_skip
from many_models.core.forecast.use_case import BASELINE, POOLED, UseCase
from many_models.core.forecast.winners import Winners
from many_models.core.isolation import run_isolated
from many_models.core.ledger import GroupOutcome, Status
from many_models.core.payload import dump_payload
from many_models.core.worst_groups import keep_worst

GROUPS_BETWEEN_LOOKS = 5  # at what an allowance has left


def train_shard(
    table: pa.Table,
    use_case: UseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
    allowance: Allowance | None = None,
    pooled: PooledFits | None = None,
) -> pa.Table:
    """Train every group of a shard (sorted by key and time) on data through ``trained_through``.

    Groups whose turn comes after the ``allowance`` is spent are skipped. Which these are changes as
    time goes on, so that it is not always the same. ``pooled`` is what all groups of the partition
    have taught: one more candidate for each.

    Returns:
        One row per group in ``ledger.training_schema``, in the order of the shard.
    """
    dataset = read_dataset(table, use_case)
    origin = int(use_case.frequency.to_period(np.array([trained_through]))[0])
    shard = _Shard(dataset, use_case, origin, pooled)
    outcomes = {
        **{g: shard.ended(g, "skipped", p) for g, p in shard.reasons_to_skip.items()},
        **{g: shard.ended(g, "failed", p) for g, p in dataset.problems.items()},
    }
    trainable = np.setdiff1d(np.arange(len(dataset.keys)), list(outcomes))
    if allowance:
        trainable = np.random.default_rng(origin).permutation(trainable)
    with threadpool_limits(1):  # groups share the cores already, and sums keep their order
        outcomes |= run_isolated(
            trainable,
            origin + 1 - first_observed(dataset, origin)[trainable],
            lambda groups: _train_together(shard, groups, allowance),
            lambda group, error: shard.ended(
                group, "failed", describe_error("training_error", error)
            ),
            groups_at_once=GROUPS_BETWEEN_LOOKS if allowance else None,
        )
    through = use_case.frequency.to_time(np.array([origin]))[0]
    in_order = keep_worst(
        [outcomes[group] for group in range(len(dataset.keys))],
        table,
        dataset.offsets,
        use_case,
        origin=through,
    )
    return training_table(in_order, use_case, partition=partition, trained_through=through)


@dataclass(frozen=True)
class _Shard:
    """A shard's dataset with what every step needs to know of it."""

    dataset: Dataset
    use_case: UseCase
    origin: int
    pooled: PooledFits | None

    @cached_property
    def reasons_to_skip(self) -> dict[int, Problem]:
        return find_reasons_to_skip(self.dataset, self.use_case, self.origin)

    @cached_property
    def _extent(self) -> tuple[Ints, Ints, Ints]:
        arguments = (self.dataset, self.origin)
        return count_observed(*arguments), first_observed(*arguments), last_observed(*arguments)

    def ended(
        self,
        group: int,
        status: Status,
        problem: Problem | None = None,
        training: Training | None = None,
        cost: Cost = NO_COST,
    ) -> ForecastOutcome:
        count, first, last = (int(values[group]) for values in self._extent)
        times = self.use_case.frequency.to_time(np.array([first, last] if count else []))
        return GroupOutcome(
            key=self.dataset.keys[group],
            statics=self.dataset.statics[group],
            status=status,
            observations=count,
            first_time=times[0] if count else None,
            last_time=times[1] if count else None,
            cost=cost,
            problem=problem,
            training=training,
        )


def _train_together(
    shard: _Shard, groups: Ints, allowance: Allowance | None
) -> dict[int, ForecastOutcome]:
    if allowance and allowance.spent:
        late = allowance.explain()
        return {group: shard.ended(group, "skipped", late) for group in groups.tolist()}
    watch = Stopwatch()
    panel = build_panel(shard.dataset, groups, shard.use_case, origin=shard.origin)
    features = build_features(panel, FeatureSpec.of(shard.use_case))
    contender, pooled = None, None
    if shard.pooled is not None:
        contender = Contender.of(shard.pooled, shard.dataset, groups, panel, features)
        pooled = contender.backtest(fold_origins(shard.use_case, shard.origin))
    shared = watch.read().shared_by(len(groups))
    backtest = run_backtest(panel, features, shard.use_case, pooled)
    contest = _Contest(panel, features, backtest, shard.use_case, contender)
    outcomes = {}
    for index, group in enumerate(groups.tolist()):
        watch = Stopwatch()
        training, problem = contest.decide(index, shard.dataset.keys[group])
        cost = shared + backtest.costs[index] + watch.read()
        status: Status = "trained" if training else "skipped"
        outcomes[group] = shard.ended(group, status, problem, training, cost)
    return outcomes


@dataclass(frozen=True)
class _Contest:
    """Candidates with their backtest: decides for one group at a time.

    A group on which the baseline has no score is not trained: there is nothing to compare with.
    """

    panel: Panel
    features: Floats
    backtest: Backtest
    use_case: UseCase
    pooled: Contender | None

    @cached_property
    def winners(self) -> Winners:
        return Winners(self.backtest, self.use_case)

    def decide(self, index: int, key: tuple[str, ...]) -> tuple[Training | None, Problem | None]:
        """Choose the best candidate of the ``index``-th group and refit it on all its data."""
        winners = self.winners
        winner, scores = winners.names[index], winners.scores(index)
        if winner is None:
            metric = self.use_case.validation.metric
            text = f"{metric} of {BASELINE} is undefined in the backtest"
            return None, Problem("undefined_score", text)
        model = self._refit(index, key, winner)
        payload, digest = dump_payload(model)
        folds = int(self.backtest.folds[index])
        oldest = self.backtest.origins[folds - 1 : folds]
        training = Training(
            candidate=winner,
            score=scores[winner],
            baseline_score=scores[BASELINE],
            candidate_scores=json.dumps(scores),
            metrics={n: float(getattr(winners.accuracies[winner], n)[index]) for n in METRICS},
            coverages={n: float(shares[index]) for n, shares in winners.coverages.items()},
            latest_mae=_mean_size(winners.residuals[index, 0]),
            folds=folds,
            evaluated_from=self.use_case.frequency.to_time(oldest + 1)[0],
            payload=payload,
            payload_sha256=digest,
            effects=explain(winner, model.fitted, self._sample(index), model.spec.names),
            backtest=folds_of(self.backtest, index, winners.forecasts[index]),
            closeup=close_up(self.panel, index, self.backtest, winners.forecasts[index]),
        )
        return training, describe_failures(self.backtest.errors.get(index, {}))

    def _refit(self, index: int, key: tuple[str, ...], candidate: str) -> ForecastModel:
        panel, spec = self.panel, FeatureSpec.of(self.use_case)
        rows = self._rows(index)
        fitted = self._fit(index, candidate, self._sample(index))
        memory = max(spec.memory, fitted.memory)
        tail = slice(max(rows.start, rows.stop - memory), rows.stop)
        return ForecastModel(
            key=key,
            time_column=self.use_case.time.column,
            spec=spec,
            known_fill=tuple(feature.fill for feature in self.use_case.features.known),
            candidate=candidate,
            fitted=fitted,
            origin=panel.origin,
            history=int(panel.history[index]),
            target=panel.target[tail].copy(),
            last_known=panel.known[rows.stop - 1].copy(),
            past=panel.past[tail].copy(),
            levels=self.use_case.validation.all_levels,
            halfwidths=self.winners.halfwidths[index].copy(),
            floor=self.use_case.prediction_floor,
            residuals=self._residuals(index),
        )

    def _residuals(self, index: int) -> Floats | None:
        """The winner's, for safety stock; half of the digits are plenty."""
        if self.use_case.inventory is None:
            return None
        residuals: Floats = self.winners.residuals[index].astype(np.float32)
        return residuals

    def _rows(self, index: int) -> slice:
        return slice(int(self.panel.offsets[index]), int(self.panel.offsets[index + 1]))

    def _sample(self, index: int) -> Sample:
        rows, panel = self._rows(index), self.panel
        spec = FeatureSpec.of(self.use_case)
        return spec.sample(self.features[rows], panel.target[rows], panel.origin)

    def _fit(self, index: int, name: str, sample: Sample) -> FittedCandidate:
        if name not in ENSEMBLES:
            return self._fit_one(index, name, sample)
        members = self.backtest.members[index]
        fitted = tuple(self._fit_one(index, member, sample) for member in members)
        if name == MEDIAN:
            return Ensemble(fitted, None, members)
        forecasts = np.stack([self.backtest.forecasts[member][index] for member in members])
        weights = weigh(forecasts, self.backtest.actual[index])
        return Ensemble(fitted, tuple(weights.tolist()), members)

    def _fit_one(self, index: int, name: str, sample: Sample) -> FittedCandidate:
        if name == POOLED and self.pooled is not None:
            return self.pooled.candidate(index)
        return fit_candidate(name, sample, self.use_case)


def _mean_size(residuals: Floats) -> float:
    there = residuals[~np.isnan(residuals)]
    return float(np.abs(there).mean()) if len(there) else np.nan
