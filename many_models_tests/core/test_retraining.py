"""When partitions are requested: hurdles, order and budget; and a year of ticks in no time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from many_models.core.retraining import Plan, make_plan, name_request
from many_models.core.retraining_causes import PartitionState
from many_models.core.retraining_requests import Request
from many_models.core.retraining_rules import RetrainingRules
from many_models_tests.fakes_retraining import (
    DAY,
    STANDARD,
    START,
    Simulation,
    make_drift,
    make_request,
    make_state,
    make_training,
    retrained,
)

RULES = RetrainingRules()
DRIFTING = make_state(drift=make_drift())


def plan(
    *states: PartitionState, history: tuple[Request, ...] = (), now: datetime = START, **fields: Any
) -> Plan:
    rules = RetrainingRules.model_validate(fields.pop("rules", {}))
    return make_plan(states, history, rules, STANDARD, now, **fields)


def requested(found: Plan) -> list[str]:
    return [proposal.partition for proposal in found.proposals]


def hurdles(found: Plan) -> dict[str, str]:
    return {deferral.partition: deferral.hurdle for deferral in found.deferrals}


def test_a_partition_without_a_cause_is_left_alone() -> None:
    assert plan(make_state()) == Plan([], [], [])


def test_a_request_says_why_and_what_it_will_cost() -> None:
    (proposal,) = plan(DRIFTING).proposals
    assert proposal.cause.reason == "drift"
    assert (proposal.attempt, proposal.core_seconds, proposal.cause.value) == (1, 60.0, 100.0)


def test_reasons_are_served_in_the_order_of_the_rules_and_then_by_value_for_each_core_second() -> (
    None
):
    states = [
        make_state("old", training=make_training(trained_through=START - 200 * DAY)),
        make_state("dear", drift=make_drift(excess=300), training=make_training(core_seconds=600)),
        make_state("cheap", drift=make_drift(excess=100), training=make_training(core_seconds=60)),
        make_state("new", training=None),
        make_state("changed", training=make_training(config_version="other")),
    ]
    assert requested(plan(*states)) == ["new", "cheap", "dear", "changed", "old"]
    rules = {"reasons": ["age", "drift"]}
    assert requested(plan(*states, rules=rules)) == ["old", "cheap", "dear"]


def test_a_partition_is_requested_once_however_many_causes_it_has() -> None:
    state = make_state(drift=make_drift(), training=make_training(config_version="other"))
    (proposal,) = plan(state).proposals
    assert proposal.cause.reason == "drift"


def test_a_partition_under_way_is_not_requested_again_whatever_the_reason() -> None:
    history = (make_request(reason="age", requested_at=START - 30 * DAY),)
    assert hurdles(plan(DRIFTING, history=history)) == {"s1": "under_way"}


@pytest.mark.parametrize("outcome", ["trained", "no_better", "failed", "canceled", "lost"])
def test_after_a_request_a_partition_cools_down_however_it_ended(outcome: Any) -> None:
    history = (make_request(outcome=outcome, reason="age", requested_at=START - 6.9 * DAY),)
    assert hurdles(plan(DRIFTING, history=history)) == {"s1": "cool_down"}
    history = (make_request(outcome=outcome, reason="age", requested_at=START - 7 * DAY),)
    assert requested(plan(DRIFTING, history=history)) == ["s1"]


def test_what_did_not_help_is_tried_again_after_twice_the_time_and_then_given_up() -> None:
    def after(attempt: int, days: float) -> Plan:
        request = make_request(outcome="no_better", attempt=attempt)
        drift = make_drift(at=START + days * DAY)
        return plan(
            make_state(drift=drift),
            history=(replace(request, champions_through=START - 30 * DAY),),
            now=START + days * DAY,
        )

    assert hurdles(after(2, 13.9)) == {"s1": "cool_down"}
    (proposal,) = after(2, 14).proposals
    assert proposal.attempt == 3
    assert hurdles(after(3, 300)) == {"s1": "given_up"}


def test_what_was_given_up_counts_anew_after_a_person_has_trained_it() -> None:
    given_up = make_request(outcome="no_better", attempt=3)
    mine = make_training(run_id="mine", trained_at=START + DAY)
    state = make_state(training=mine, drift=make_drift(at=START + 2 * DAY))
    now = START + 20 * DAY
    assert hurdles(plan(state, history=(given_up,), now=now)) == {"s1": "given_up"}
    (proposal,) = plan(state, history=(given_up,), now=now, by_people=["mine"]).proposals
    assert proposal.attempt == 1


def test_new_champions_that_drift_are_a_case_of_their_own() -> None:
    given_up = make_request(
        outcome="trained",
        attempt=3,
        champions_through=START - 60 * DAY,
        requested_at=START - 9 * DAY,
    )
    (proposal,) = plan(DRIFTING, history=(given_up,)).proposals
    assert proposal.attempt == 1


def test_another_change_of_the_use_case_is_a_case_of_its_own() -> None:
    given_up = make_request(
        reason="changed",
        subject="old 1.0",
        attempt=3,
        outcome="failed",
        requested_at=START - 9 * DAY,
    )
    state = make_state(training=make_training(config_version="older"))
    (proposal,) = plan(state, history=(given_up,)).proposals
    assert (proposal.attempt, proposal.cause.subject) == (1, "config 1.0")
    same = replace(given_up, subject="config 1.0")
    assert hurdles(plan(state, history=(same,))) == {"s1": "given_up"}


def test_a_reason_that_is_gone_is_noted_and_so_is_one_that_is_soon_back() -> None:
    ended = make_request(outcome="no_better", requested_at=START - 30 * DAY, attempt=3)
    calm = make_state(drift=make_drift(drifted=0))
    (gone,) = plan(calm, history=(ended,)).changed
    assert gone.gone_since == START
    later = START + 2 * DAY
    back = plan(DRIFTING, history=(gone,), now=later)
    assert (back.changed[0].gone_since, hurdles(back)) == (None, {"s1": "given_up"})
    assert requested(plan(DRIFTING, history=(gone,), now=START + 7 * DAY)) == ["s1"]


def test_drift_that_was_not_measured_since_the_training_is_neither_there_nor_gone() -> None:
    ended = make_request(outcome="no_better", requested_at=START - 30 * DAY)
    state = make_state(drift=make_drift(), training=make_training(trained_at=START + DAY))
    assert plan(state, history=(ended,), now=START + 9 * DAY) == Plan([], [], [])


def test_drift_waits_after_a_training_that_did_not_help_and_not_after_its_champions_own() -> None:
    now, yesterday = START + 30 * DAY, START + 29 * DAY
    weekly = make_training(trained_at=yesterday, trained_through=yesterday)
    kept = replace(make_drift(at=now), drifted_by_through={START: 5})
    assert hurdles(plan(make_state(training=weekly, drift=kept), now=now)) == {"s1": "cool_down"}
    own = replace(kept, drifted_by_through={yesterday: 5})
    assert requested(plan(make_state(training=weekly, drift=own), now=now)) == ["s1"]


def test_a_run_that_failed_after_training_leaves_its_reason_in_force() -> None:
    failed = make_request(
        reason="changed", subject="config 1.0", outcome="failed", run_id="run", attempt=1
    )
    state = make_state(training=make_training(run_id="run", trained_at=START))
    (proposal,) = plan(state, history=(failed,), now=START + 8 * DAY).proposals
    assert (proposal.cause.reason, proposal.attempt) == ("changed", 2)


def test_all_wait_while_another_run_trains() -> None:
    found = plan(DRIFTING, busy="run x trains")
    assert (hurdles(found), found.deferrals[0].text) == ({"s1": "busy"}, "run x trains")


def test_what_does_not_fit_into_the_budget_holds_up_what_comes_after_it() -> None:
    minutes = {"a": (90.0, 4), "b": (60.0, 5), "c": (30.0, 1)}
    states = [
        make_state(
            name,
            drift=make_drift(excess=value * cost),
            training=make_training(core_seconds=60.0 * cost),
        )
        for name, (value, cost) in minutes.items()
    ]
    found = plan(*states, rules={"core_minutes": 6})
    assert requested(found) == ["a"]
    assert hurdles(found) == {"b": "budget", "c": "budget"}


def test_a_partition_larger_than_the_budget_goes_alone_when_nothing_was_spent() -> None:
    large = make_state("large", drift=make_drift(excess=1e9))
    large = replace(large, training=make_training(core_seconds=7200))
    small = make_state("small", drift=make_drift())
    rules = {"core_minutes": 60}
    assert requested(plan(large, small, rules=rules)) == ["large"]
    spent = make_request("other", outcome="trained", core_seconds=1.0, requested_at=START)
    found = plan(large, small, rules=rules, history=(spent,), now=START + DAY / 2)
    assert hurdles(found) == {"large": "budget", "small": "budget"}
    found = plan(large, small, rules=rules, history=(spent,), now=START + DAY)
    assert requested(found) == ["large"]


def test_the_same_history_gives_a_request_the_same_name_and_another_one_another() -> None:
    proposals = plan(DRIFTING).proposals
    before = make_request(outcome="no_better")
    assert name_request(proposals, []) == name_request(proposals, [])
    assert name_request(proposals, [before]) != name_request(proposals, [])


# --- months of ticks -------------------------------------------------------------------------


def simulate_drift(
    promoted: int, *, days: int = 365, every: timedelta = timedelta(hours=6), **rules: Any
) -> tuple[Simulation, list[Plan]]:
    """A partition that drifts all the time, measured each day; runs promote so many models."""

    def train(state: PartitionState, now: datetime, run: str) -> tuple[PartitionState, int]:
        return retrained(state, now, run), promoted

    simulation = Simulation(
        {"s1": DRIFTING}, train, RetrainingRules.model_validate({"max_age_days": 1e6, **rules})
    )

    def measure() -> None:
        state, now = simulation.states["s1"], simulation.now
        if now.hour == 0:
            simulation.states["s1"] = replace(state, drift=make_drift(at=now))

    return simulation, simulation.pass_days(days, every, measure)


def test_drift_that_no_challenger_cures_is_requested_three_times_in_a_year() -> None:
    simulation, plans = simulate_drift(promoted=0)
    days = [(request.requested_at - START) / DAY for request in simulation.history]
    assert days == pytest.approx([0, 7, 21], abs=1.1)
    assert [r.outcome for r in simulation.history] == ["no_better"] * 3
    assert hurdles(plans[-1]) == {"s1": "given_up"}


def test_attempts_bound_the_requests_for_what_is_not_cured() -> None:
    simulation, _ = simulate_drift(promoted=0, attempts=5, cool_down_days=2)
    assert [r.attempt for r in simulation.history] == [1, 2, 3, 4, 5]


def test_drift_that_comes_and_goes_with_chance_does_not_loop_either() -> None:
    chance = random.Random(0)

    def train(state: PartitionState, now: datetime, run: str) -> tuple[PartitionState, int]:
        return retrained(state, now, run), 0

    simulation = Simulation({"s1": DRIFTING}, train, RetrainingRules(max_age_days=1e6))

    def measure() -> None:
        drift = make_drift(at=simulation.now, drifted=chance.choice([0, 5]))
        simulation.states["s1"] = replace(simulation.states["s1"], drift=drift)

    simulation.pass_days(365, DAY, measure)
    assert len(simulation.history) <= 12  # of 52 that the time to cool down would allow


def test_after_a_cure_the_next_drift_is_served_at_once() -> None:
    def train(state: PartitionState, now: datetime, run: str) -> tuple[PartitionState, int]:
        return replace(retrained(state, now, run), drift=make_drift(drifted=0, at=now + DAY)), 5

    simulation = Simulation({"s1": DRIFTING}, train, RetrainingRules(max_age_days=1e6))

    def collapse() -> None:
        if simulation.now == START + 100 * DAY:
            drift = replace(make_drift(at=simulation.now), drifted_by_through={START: 5})
            simulation.states["s1"] = replace(simulation.states["s1"], drift=drift)

    simulation.pass_days(200, DAY / 4, collapse)
    found = [(r.attempt, r.requested_at - START) for r in simulation.history]
    assert found == [(1, timedelta()), (1, 100 * DAY)]
    assert [r.outcome for r in simulation.history] == ["trained", "trained"]


def test_age_is_served_each_time_that_it_comes_up() -> None:
    simulation = Simulation({"s1": make_state()}, lambda *a: (retrained(*a), 10))
    simulation.pass_days(400, DAY, lambda: None)
    gaps = [(r.requested_at - START) // DAY for r in simulation.history]
    assert gaps == [61, 153, 245, 337]  # 90 days of data since, and the tick after a run
    assert {r.reason for r in simulation.history} == {"age"}


# --- whatever happens ------------------------------------------------------------------------


def random_world(seed: int) -> Simulation:
    """Partitions of all sizes whose runs help, do not help, or leave nothing behind."""
    chance = random.Random(seed)

    def train(state: PartitionState, now: datetime, run: str) -> tuple[PartitionState, int]:
        if chance.random() < 0.2:
            return state, 0
        helped = chance.random() < 0.5
        drift = make_drift(drifted=0, at=now + DAY) if helped else state.drift
        return replace(retrained(state, now, run), drift=drift), 5 * helped

    states = {
        f"p{n}": make_state(
            f"p{n}", training=make_training(core_seconds=chance.choice([30, 300, 900, 5000]))
        )
        for n in range(12)
    }
    rules = RetrainingRules(
        core_minutes=20,
        cool_down_days=chance.choice([0, 1, 3]),
        attempts=chance.choice([1, 2, 4]),
        max_age_days=20,
    )
    run_time = chance.choice([timedelta(hours=1), timedelta(hours=30)])
    return Simulation(states, train, rules, run_time=run_time)


def disturb(simulation: Simulation, chance: random.Random) -> Callable[[], None]:
    def happen() -> None:
        name = f"p{chance.randrange(14)}"  # two of them are new
        state = simulation.states.get(name) or make_state(name, training=None)
        event = chance.randrange(4)
        if event == 0:
            drift = make_drift(at=simulation.now, drifted=chance.randrange(6))
            state = replace(state, drift=replace(drift, excess=1000 * chance.random()))
        elif event == 1:
            state = replace(state, groups=state.groups + chance.randrange(3))
        elif event == 2 and chance.random() < 0.02:
            simulation.standard = replace(simulation.standard, config_version=str(chance.random()))
        simulation.states[name] = state

    return happen


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_no_partition_is_requested_twice_and_no_day_costs_more(seed: int) -> None:
    simulation = random_world(seed)
    happen = disturb(simulation, random.Random(seed))
    budget = 60 * (simulation.rules.core_minutes or 0)
    pause = simulation.rules.cool_down_days * DAY
    for _ in range(400):
        happen()
        found = simulation.tick()
        open_now = Counter(r.partition for r in simulation.history if r.is_open)
        assert not open_now or max(open_now.values()) == 1
        since = simulation.now - DAY
        charged = [r for r in simulation.history if r.is_open or r.requested_at > since]
        if found.proposals:
            assert (
                sum(r.charge for r in charged) <= budget or sum(r.charge > 0 for r in charged) == 1
            )
        assert set(requested(found)).isdisjoint(hurdles(found))
        simulation.now += timedelta(hours=5)
    by_partition: dict[str, list[Request]] = {}
    for request in simulation.history:
        by_partition.setdefault(request.partition, []).append(request)
    for requests in by_partition.values():
        times = [request.requested_at for request in requests]
        assert all(b - a >= pause for a, b in pairwise(times))
        assert all(r.attempt <= simulation.rules.attempts for r in requests)
    assert len(by_partition) > 5
