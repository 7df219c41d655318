"""Partitions and requests as the tests of retraining need them, and a year that passes quickly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from many_models.core.retraining import Plan, make_plan, name_request, write_down
from many_models.core.retraining_causes import DriftSeen, LastTraining, PartitionState, Standard
from many_models.core.retraining_requests import Request, SeenRun, TrainedCounts, settle
from many_models.core.retraining_rules import RetrainingRules

START = datetime(2026, 1, 1)
DAY = timedelta(days=1)
STANDARD = Standard("config", "1.0", START, drift_share=0.1, max_age_days=90)


def make_training(**fields: Any) -> LastTraining:
    """A training of ten groups, a minute of a core, a month ago, as it would be done now."""
    moment = START - 30 * DAY
    training = LastTraining("first", moment, moment, 10, 60.0, "1.0", "config")
    return replace(training, **fields)


def make_state(name: str = "s1", **fields: Any) -> PartitionState:
    """A partition of ten groups that nothing is wrong with, unless ``fields`` say otherwise."""
    return replace(PartitionState(name, 10, make_training()), **fields)


def make_drift(
    *, drifted: int = 5, judged: int = 10, excess: float = 100.0, at: datetime = START
) -> DriftSeen:
    """Champions of the training a month ago that have drifted."""
    return DriftSeen(at, judged, drifted, excess, {START - 30 * DAY: drifted} if drifted else {})


def make_request(partition: str = "s1", **fields: Any) -> Request:
    """A request because of drift, just made."""
    request = Request("r1", partition, "drift", "", "", 100.0, 60.0, 1, START)
    return replace(request, **fields)


@dataclass
class Simulation:
    """Ticks on a clock of its own; ``train`` says what a run makes of a partition's state.

    A run takes ``run_time``; ``train`` gives the state after it, and how many models it promoted.
    """

    states: dict[str, PartitionState]
    train: Callable[[PartitionState, datetime, str], tuple[PartitionState, int]]
    rules: RetrainingRules = field(default_factory=RetrainingRules)
    standard: Standard = STANDARD
    now: datetime = START
    run_time: timedelta = timedelta(hours=2)
    history: list[Request] = field(default_factory=list)
    runs: dict[str, SeenRun] = field(default_factory=dict)
    counts: dict[tuple[str, str], TrainedCounts] = field(default_factory=dict)

    def tick(self) -> Plan:
        """What the sensor does at a tick."""
        self._end_runs()
        self.history = settle(self.history, self.runs, self.counts, self.now)
        days = self.rules.max_age_days or STANDARD.max_age_days
        standard = replace(self.standard, data_through=self.now, max_age_days=days)
        states = list(self.states.values())
        plan = make_plan(states, self.history, self.rules, standard, self.now)
        changed = {(r.request_id, r.partition): r for r in plan.changed}
        self.history = [changed.get((r.request_id, r.partition), r) for r in self.history]
        if plan.proposals:
            name = name_request(plan.proposals, self.history)
            assert name not in self.runs
            self.history += write_down(plan.proposals, name, self.now)
            self.runs[name] = SeenRun(f"run of {name}")
        return plan

    def _end_runs(self) -> None:
        for request in self.history:
            run = self.runs[request.request_id]
            if not request.is_open or self.now < request.requested_at + self.run_time:
                continue
            state, promoted = self.train(self.states[request.partition], self.now, run.run_id)
            self.states[request.partition] = state
            seconds = state.training.core_seconds if state.training else 0.0
            self.counts[run.run_id, request.partition] = TrainedCounts(10, promoted, seconds)
        for name in {r.request_id for r in self.history if r.is_open}:
            if all(
                (self.runs[name].run_id, r.partition) in self.counts
                for r in self.history
                if r.request_id == name
            ):
                self.runs[name] = replace(self.runs[name], ending="success", ended_at=self.now)

    def pass_days(self, days: float, every: timedelta, before: Callable[[], object]) -> list[Plan]:
        """Ticks through so many days; ``before`` each one the world may change."""
        plans, end = [], self.now + timedelta(days=days)
        while self.now < end:
            before()
            plans.append(self.tick())
            self.now += every
        return plans


def retrained(state: PartitionState, now: datetime, run_id: str) -> PartitionState:
    """The state after a training whose models, whatever they are like, are in the ledger."""
    groups = max(state.groups, 1)
    seconds = state.training.core_seconds if state.training else 6.0 * groups
    training = make_training(
        run_id=run_id, trained_at=now, trained_through=now, groups=groups, core_seconds=seconds
    )
    return replace(state, training=training, grown=0)


def partitions_of(requests: Sequence[Request]) -> list[str]:
    return [request.partition for request in requests]
