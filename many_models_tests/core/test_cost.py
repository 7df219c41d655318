from __future__ import annotations

import time

from many_models.core.cost import Allowance, Cost, Stopwatch


def _compute(core_seconds: float) -> None:
    end = time.process_time() + core_seconds
    while time.process_time() < end:
        pass


def test_costs_add_up_and_are_shared() -> None:
    assert (Cost(1.0, 3.0) + Cost(1.0, 1.0)).shared_by(4) == Cost(0.5, 1.0)


def test_waiting_takes_time_and_computing_takes_the_cores_too() -> None:
    watch = Stopwatch()
    time.sleep(0.02)
    waited = watch.read()
    _compute(0.02)
    computed = watch.read()
    assert waited.seconds >= 0.02 > waited.core_seconds
    assert computed.core_seconds >= 0.02


def test_an_allowance_lasts_until_it_is_computed_away() -> None:
    allowance = Allowance(0.02)
    assert not allowance.spent
    _compute(0.02)
    assert allowance.spent
    assert allowance.left <= 0


def test_nothing_allowed_is_spent_at_once_and_says_what_to_raise() -> None:
    allowance = Allowance(0.0)
    assert allowance.spent
    problem = allowance.explain()
    assert problem.reason == "budget_spent"
    assert "core_minutes" in problem.error
