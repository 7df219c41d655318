"""Training one shard of rows: screen, let candidates compete, refit; one outcome for every group.

Pure, and group by group: whatever goes wrong with one becomes its own row in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from many_models.core.arrays import Ints
from many_models.core.cost import Allowance, Stopwatch
from many_models.core.failure import Problem, describe_error, describe_failures
from many_models.core.ledger import GroupOutcome, Status
from many_models.core.payload import dump_payload
from many_models.core.tabular.contest import Contest
from many_models.core.tabular.dataset import Rows, read_rows
from many_models.core.tabular.explanation import explain
from many_models.core.tabular.ledger import TabularOutcome, TrainedModel, training_table
from many_models.core.tabular.model import (
    Target,
    encode_classes,
    fit_candidate,
    make_model,
)
from many_models.core.tabular.use_case import TabularUseCase

Figures = dict[str, dict[str, float]]


def train_shard(
    table: pa.Table,
    use_case: TabularUseCase,
    *,
    partition: str,
    trained_through: np.datetime64,
    allowance: Allowance | None = None,
) -> pa.Table:
    """Train every group of a shard (sorted by key) on targets through the day ``trained_through``.

    Groups whose turn comes after the ``allowance`` is spent are skipped. Which these are changes as
    time goes on, so that it is not always the same.

    Returns:
        One row per group in ``ledger.training_schema``, in the order of the shard.
    """
    rows = read_rows(table, use_case)
    origin = int(use_case.frequency.to_period(np.array([trained_through]))[0])
    trainer = _Trainer(rows, use_case, origin, allowance)
    order = np.random.default_rng(origin).permutation(len(rows.keys)).tolist()
    with threadpool_limits(1):  # groups share the cores already, and sums keep their order
        found = {group: trainer.train(group) for group in order}
    outcomes = [found[group] for group in range(len(rows.keys))]
    through = use_case.frequency.to_time(np.array([origin]))[0]
    return training_table(outcomes, use_case, partition=partition, trained_through=through)


@dataclass(frozen=True)
class _Trainer:
    """A shard's rows with what is to be made of them."""

    rows: Rows
    use_case: TabularUseCase
    origin: int
    allowance: Allowance | None

    def train(self, group: int) -> TabularOutcome:
        watch = Stopwatch()
        labelled = self.rows.labelled(group, self.origin)
        status: Status = "failed"
        problem, model = self.rows.problems.get(group), None
        if problem is None and self.allowance and self.allowance.spent:
            status, problem = "skipped", self.allowance.explain()
        elif problem is None:
            try:
                model, problem = self._train(group, labelled)
                status = "trained" if model else "skipped"
            except Exception as error:  # whatever it is, it becomes the row of this group
                problem = describe_error("training_error", error)
        times = self.rows.times[labelled]
        return GroupOutcome(
            key=self.rows.keys[group],
            status=status,
            observations=len(labelled),
            first_time=times.min() if len(times) else None,
            last_time=times.max() if len(times) else None,
            cost=watch.read(),
            problem=problem,
            training=model,
        )

    def _train(self, group: int, labelled: Ints) -> tuple[TrainedModel | None, Problem | None]:
        classes, target = encode_classes(self.rows.target[labelled], self.use_case)
        if reason := self._reason_to_skip(classes, target):
            return None, reason
        times, features = self.rows.times[labelled], self.rows.features.iloc[labelled]
        contest = Contest(self.use_case, features, target, classes, times)
        held = contest.hold_out()
        if held.all() or not held.any():
            text = self._explain_holdout(int(held.sum()), times)
            return None, Problem("no_holdout", text)
        figures, ratings = contest.measure(held), contest.rate(held)
        baseline, metric = self.use_case.baseline, self.use_case.metric
        if not np.isfinite(figures.get(baseline, {}).get(metric, np.nan)):
            text = f"{metric} of {baseline} is undefined on the holdout"
            return None, Problem("undefined_score", text)
        winner = contest.choose(ratings, figures)
        fitted = winner, fit_candidate(self.use_case, winner, features, target)
        seen = self.origin, len(labelled)
        payload, digest = dump_payload(
            make_model(self.use_case, self.rows.keys[group], fitted, classes, seen)
        )
        model = TrainedModel(
            candidate=winner,
            ratings=ratings,
            metrics=figures,
            holdout_rows=int(held.sum()),
            holdout_digest=self.rows.digest(labelled[held]),
            evaluated_from=times[held].min(),
            classes=len(classes),
            payload=payload,
            payload_sha256=digest,
            effects=explain(winner, fitted[1], tuple(features.columns), classes),
        )
        return model, describe_failures(contest.errors)

    def _explain_holdout(self, held: int, times: NDArray[np.datetime64]) -> str:
        start = self.use_case.validation.holdout.start
        first, last = (str(time.astype("datetime64[s]")) for time in (times.min(), times.max()))
        rules = f"validation.holdout.from is {start}" if start else "no moment divides them"
        return f"the holdout takes {held} of {len(times)} rows, from {first} to {last}; {rules}"

    def _reason_to_skip(self, classes: tuple[str, ...], target: Target) -> Problem | None:
        least = self.use_case.validation.min_rows
        if len(target) < least:
            text = f"{len(target)} rows with a target; validation.min_rows is {least}"
            return Problem("too_few_rows", text)
        if len(np.unique(target)) == 1:
            value = classes[0] if classes else f"{target[0]:g}"
            reason = "one_class" if classes else "constant_target"
            return Problem(reason, f"{self.use_case.target} is {value} in all rows")
        return None
