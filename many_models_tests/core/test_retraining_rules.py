from __future__ import annotations

import pytest
from pydantic import ValidationError

from many_models.core.retraining_rules import RetrainingRules
from many_models_tests.fakes import make_use_case


def test_nothing_need_be_given() -> None:
    rules = RetrainingRules()
    assert rules.reasons == ("new_groups", "drift", "changed", "age")
    assert (rules.core_minutes, rules.cool_down_days, rules.attempts) == (240, 7, 3)


def test_the_budget_can_be_switched_off() -> None:
    assert RetrainingRules(core_minutes=None).core_minutes is None


def test_a_reason_stands_once_in_the_order() -> None:
    with pytest.raises(ValidationError, match="given twice"):
        RetrainingRules(reasons=("age", "drift", "age"))


def test_a_use_case_says_in_its_file_what_retrains_it() -> None:
    use_case = make_use_case(retraining={"reasons": ["drift"], "core_minutes": 30})
    assert use_case.retraining.reasons == ("drift",)
    assert use_case.retraining.core_minutes == 30
