"""Which partitions are requested now, which are deferred and why: causes, history and budget.

Pure: from the state of every partition and the requests of the past. Nothing is remembered beside
these, so whoever plans twice from the same plans the same.

What is requested comes in the order of the reasons, and within one by value for each core-second,
so that a small partition with a large error goes before a large one with a small error. The order
is kept: what does not fit into the budget holds up what comes after it, or a large partition would
wait for ever while small ones use the budget up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from many_models.core.retraining_budget import Budget, CostEstimate
from many_models.core.retraining_causes import (
    Cause,
    PartitionState,
    Standard,
    find_causes,
    is_known,
)
from many_models.core.retraining_requests import Request
from many_models.core.retraining_rules import Reason, RetrainingRules

Hurdle = Literal["under_way", "given_up", "cool_down", "busy", "budget"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A partition that is due, and what training it will cost by the last time it was trained."""

    partition: str
    cause: Cause
    attempt: int
    core_seconds: float


@dataclass(frozen=True, slots=True)
class Deferral:
    """A partition that is due and has to wait, and until when, where that is known."""

    partition: str
    reason: Reason
    detail: str
    hurdle: Hurdle
    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be requested, the most important first, and what has to wait.

    ``changed`` are past requests of which something is known now: their reason is gone, or back.
    """

    proposals: Sequence[Proposal]
    deferrals: Sequence[Deferral]
    changed: Sequence[Request]


def make_plan(
    states: Sequence[PartitionState],
    history: Sequence[Request],
    rules: RetrainingRules,
    standard: Standard,
    now: datetime,
    *,
    by_people: Collection[str] = (),
    busy: str | None = None,
) -> Plan:
    """The plan at ``now``.

    ``by_people`` are training runs that a person has started: what was given up counts anew after
    these. ``busy`` says which other run trains partitions at the moment: then all has to wait.
    """
    latest = _latest(history)
    chosen: list[Proposal] = []
    deferrals: list[Deferral] = []
    changed: list[Request] = []
    cost = CostEstimate(states)
    for state in states:
        of_partition = latest.get(state.partition, {})
        causes = _find_causes(state, of_partition.values(), rules, standard)
        marked = {r: _mark(q, causes, state, rules, now) for r, q in of_partition.items()}
        changed += [marked[r] for r, q in of_partition.items() if marked[r] != q]
        policy = _Policy(state, marked, rules, now, by_people)
        found = [policy.decide(cause, cost.of(state)) for cause in causes.values()]
        proposals = [item for item in found if isinstance(item, Proposal)]
        chosen += proposals[:1]
        if not proposals:
            deferrals += [item for item in found[:1] if isinstance(item, Deferral)]
    ranked = sorted(chosen, key=lambda proposal: _rank(proposal, rules))
    if busy and ranked:
        return Plan((), [*(_defer(p, "busy", busy) for p in ranked), *deferrals], changed)
    budget = Budget(rules.core_minutes, history, now)
    count = budget.count_affordable([p.core_seconds for p in ranked])
    waiting = [_defer(p, "budget", budget.explain(p.core_seconds)) for p in ranked[count:]]
    return Plan(ranked[:count], [*waiting, *deferrals], changed)


def name_request(proposals: Sequence[Proposal], history: Sequence[Request]) -> str:
    """Id of the request for these partitions: the same whenever it is made of the same history."""
    latest = _latest(history)
    chain = [
        [p.partition, p.cause.reason, *sorted(q.request_id for q in latest[p.partition].values())]
        if p.partition in latest
        else [p.partition, p.cause.reason]
        for p in proposals
    ]
    return "retrain-" + hashlib.sha256(json.dumps(chain).encode()).hexdigest()[:16]


def write_down(proposals: Sequence[Proposal], request_id: str, now: datetime) -> list[Request]:
    """Rows of the audit for what is requested now."""
    return [
        Request(
            request_id=request_id,
            partition=p.partition,
            reason=p.cause.reason,
            subject=p.cause.subject,
            detail=p.cause.detail,
            value=p.cause.value,
            estimated_core_seconds=p.core_seconds,
            attempt=p.attempt,
            requested_at=now,
            champions_through=p.cause.champions_through,
        )
        for p in proposals
    ]


@dataclass(frozen=True)
class _Policy:
    """Whether a cause of one partition may lead to a request now."""

    state: PartitionState
    latest: Mapping[Reason, Request]
    rules: RetrainingRules
    now: datetime
    by_people: Collection[str]

    def decide(self, cause: Cause, core_seconds: float) -> Proposal | Deferral:
        name, rules = self.state.partition, self.rules
        before = self._tries(cause)
        proposal = Proposal(name, cause, before + 1, core_seconds)
        if any(request.is_open for request in self.latest.values()):
            return _defer(proposal, "under_way", "it is being trained")
        if before >= rules.attempts:
            text = f"given up after {before} requests that did not help: train it by hand"
            return _defer(proposal, "given_up", text)
        until = self._cool_down(cause, before)
        if until is not None and until > self.now:
            return _defer(
                proposal, "cool_down", f"cooling down until {until:%Y-%m-%d %H:%M}", until
            )
        return proposal

    def _tries(self, cause: Cause) -> int:
        """Requests in a row for this cause that did not help."""
        last = self.latest.get(cause.reason)
        if last is None or last.subject != cause.subject or last.gone_since is not None:
            return 0
        training = self.state.training
        by_person = (
            training is not None
            and training.run_id in self.by_people
            and training.trained_at > last.requested_at
        )
        changed = cause.concerns_others(last.champions_through)
        return 0 if by_person or changed else last.attempt

    def _cool_down(self, cause: Cause, before: int) -> datetime | None:
        pause = timedelta(days=self.rules.cool_down_days)
        ends = [request.requested_at + pause for request in self.latest.values()]
        if before:
            ends.append(self.latest[cause.reason].requested_at + pause * 2 ** (before - 1))
        training = self.state.training
        if training and cause.reason == "drift" and not cause.is_of(training):
            ends.append(training.trained_at + pause)  # whoever started it, it did not help
        return max(ends, default=None)


def _latest(history: Sequence[Request]) -> dict[str, dict[Reason, Request]]:
    """The last request of each partition for each reason."""
    found: dict[str, dict[Reason, Request]] = {}
    for request in sorted(history, key=lambda request: request.requested_at):
        found.setdefault(request.partition, {})[request.reason] = request
    return found


def _find_causes(
    state: PartitionState, latest: Iterable[Request], rules: RetrainingRules, standard: Standard
) -> dict[Reason, Cause]:
    """Causes by the state, and by a run that has trained and not finished: nothing was promoted."""
    causes = find_causes(state, rules, standard)
    for request in latest:
        unfinished = (
            request.outcome in ("failed", "canceled")
            and state.training is not None
            and state.training.run_id == request.run_id
        )
        if unfinished and request.reason in rules.reasons:
            causes.setdefault(
                request.reason,
                Cause(request.reason, request.detail, request.value, request.subject),
            )
    return {reason: causes[reason] for reason in rules.reasons if reason in causes}


def _mark(
    request: Request,
    causes: Mapping[Reason, Cause],
    state: PartitionState,
    rules: RetrainingRules,
    now: datetime,
) -> Request:
    """The request with ``gone_since`` as it is by now.

    Drift that is back within the time to cool down was not gone: it comes and goes with chance.
    """
    reason, gone = request.reason, request.gone_since
    if reason not in causes:
        known = gone is None and reason in rules.reasons and is_known(state, reason)
        return replace(request, gone_since=now) if known and not request.is_open else request
    patience = timedelta(days=rules.cool_down_days if reason == "drift" else 0)
    return replace(request, gone_since=None) if gone and now - gone < patience else request


def _rank(proposal: Proposal, rules: RetrainingRules) -> tuple[int, float, str]:
    cause = proposal.cause
    worth = cause.value / max(proposal.core_seconds, 1e-9)
    return rules.reasons.index(cause.reason), -worth, proposal.partition


def _defer(
    proposal: Proposal, hurdle: Hurdle, text: str, until: datetime | None = None
) -> Deferral:
    cause = proposal.cause
    return Deferral(proposal.partition, cause.reason, cause.detail, hurdle, text, until)
