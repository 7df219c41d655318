"""Why a partition should be trained again: its state, and what of it the rules call a cause.

Pure: collecting the state is ``steps.retraining``. Whether a cause leads to a request is in
``retraining``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from many_models.core.retraining_rules import Reason, RetrainingRules

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LastTraining:
    """The latest training run of a partition, as the ledger tells it.

    ``trained_at`` is when it began, ``trained_through`` the last time of its data;
    ``config_version`` is None where it was not written down yet.
    """

    run_id: str
    trained_at: datetime
    trained_through: datetime
    groups: int
    core_seconds: float
    code_version: str
    config_version: str | None


@dataclass(frozen=True, slots=True)
class DriftSeen:
    """A partition's rows in the drift table: champions that could be judged, and that drifted.

    ``excess`` sums what the drift costs, in the target's unit; ``drifted_by_through`` counts those
    that drifted by the last time of the data that they were trained on.
    """

    measured_at: datetime
    judged: int
    drifted: int
    excess: float
    drifted_by_through: Mapping[datetime, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What is known of a partition.

    ``groups`` are in its grouped datasets now (0 where there are none yet); ``grown`` are groups
    that were skipped for too little data and have enough by now.
    """

    partition: str
    groups: int
    training: LastTraining | None = None
    drift: DriftSeen | None = None
    grown: int = 0

    @property
    def drift_is_current(self) -> bool:
        """Whether drift was measured, and since the last training: that may have ended it."""
        if self.drift is None or not self.drift.judged:
            return False
        return self.training is None or self.drift.measured_at > self.training.trained_at


@dataclass(frozen=True, slots=True)
class Standard:
    """What models are held against.

    ``data_through`` is the last time of the data; ``drift_share`` the share of drifted champions
    that a partition may have, ``max_age_days`` how much younger data may be than a training's.
    """

    config_version: str
    code_version: str
    data_through: datetime | None
    drift_share: float
    max_age_days: float


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason to train a partition again, in words and as a figure.

    ``value`` compares causes of one reason: groups without a model, what drift costs in the
    target's unit, groups that were trained otherwise, groups x days. Two causes with another
    ``subject`` are not the same: what did not help against one may against the other.
    """

    reason: Reason
    detail: str
    value: float
    subject: str = ""
    drifted_by_through: Mapping[datetime, int] = field(default_factory=dict)

    @property
    def champions_through(self) -> datetime | None:
        """Last time of data that any of the drifted champions has seen."""
        return max(self.drifted_by_through, default=None)

    def is_of(self, training: LastTraining) -> bool:
        """Whether most drifted champions come from this training: nothing was tried since."""
        return self.concerns_others(training.trained_through - timedelta.resolution)

    def concerns_others(self, through: datetime | None) -> bool:
        """Whether most drifted champions have seen more than ``through``: they are new since."""
        counts = self.drifted_by_through
        if through is None or not counts:
            return False
        return 2 * sum(n for time, n in counts.items() if time > through) > sum(counts.values())


def find_causes(
    state: PartitionState, rules: RetrainingRules, standard: Standard
) -> dict[Reason, Cause]:
    """Every cause that a partition has, of the reasons that count, in the rules' order."""
    found = {cause.reason: cause for cause in _find(state, rules, standard)}
    return {reason: found[reason] for reason in rules.reasons if reason in found}


def is_known(state: PartitionState, reason: Reason) -> bool:
    """Whether the state says that a reason is there or is not."""
    return state.drift_is_current if reason == "drift" else True


def _find(state: PartitionState, rules: RetrainingRules, standard: Standard) -> Iterator[Cause]:
    if state.training is None:
        yield _never_trained(state)
        return
    if cause := _new_groups(state, state.training, rules):
        yield cause
    if cause := _drift(state, standard):
        yield cause
    if cause := _changed(state, state.training, rules, standard):
        yield cause
    if cause := _age(state, state.training, standard):
        yield cause


def _never_trained(state: PartitionState) -> Cause:
    groups = max(state.groups, 1)
    known = f"; its {state.groups:,} groups have no model" if state.groups else ""
    return Cause("new_groups", f"the partition was never trained{known}", groups)


def _new_groups(
    state: PartitionState, training: LastTraining, rules: RetrainingRules
) -> Cause | None:
    fresh = max(state.groups - training.groups, 0)
    waiting, groups = fresh + state.grown, max(state.groups, training.groups)
    if waiting < max(rules.new_groups_min, rules.new_groups_share * groups, 1):
        return None
    text = (
        f"{waiting:,} of {groups:,} groups wait for their first model: {fresh:,} are new, "
        f"{state.grown:,} had too little data and have about enough now"
    )
    return Cause("new_groups", text, waiting)


def _drift(state: PartitionState, standard: Standard) -> Cause | None:
    if state.drift is None or not state.drift_is_current:
        return None
    drift, share = state.drift, state.drift.drifted / state.drift.judged
    if share <= standard.drift_share:
        return None
    text = (
        f"{drift.drifted:,} of {drift.judged:,} judged champions drifted ({share:.0%}, more than "
        f"{standard.drift_share:.0%}); errors beyond what was promised add up to {drift.excess:.4g}"
    )
    through = drift.drifted_by_through
    return Cause("drift", text, drift.excess, drifted_by_through=through)


def _changed(
    state: PartitionState, training: LastTraining, rules: RetrainingRules, standard: Standard
) -> Cause | None:
    texts, subject = [], standard.config_version
    if training.config_version not in (None, standard.config_version):
        change = f"{training.config_version} to {standard.config_version}"
        texts.append(f"the use case changed since the last training ({change})")
    if rules.code_version:
        subject += f" {standard.code_version}"
        if training.code_version != standard.code_version:
            change = f"{training.code_version} to {standard.code_version}"
            texts.append(f"the platform's version changed since the last training ({change})")
    groups = max(state.groups, training.groups)
    return Cause("changed", "; ".join(texts), groups, subject) if texts else None


def _age(state: PartitionState, training: LastTraining, standard: Standard) -> Cause | None:
    if standard.data_through is None:
        return None
    days = (standard.data_through - training.trained_through) / DAY
    over = days - standard.max_age_days
    if over <= 0:
        return None
    text = (
        f"trained on data through {training.trained_through:%Y-%m-%d}, {days:,.0f} days before the "
        f"last; at most {standard.max_age_days:g} are allowed"
    )
    return Cause("age", text, over * max(state.groups, training.groups))
