from __future__ import annotations

import pytest
from pydantic import ValidationError

from many_models.core.drift_rules import AGES, JUDGED, WINDOWS, DriftRules
from many_models.core.frequency import FREQUENCY_CODES, Frequency
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case


def test_a_use_case_need_say_nothing_of_drift() -> None:
    assert make_use_case().drift == make_flights().drift == DriftRules()


def test_every_frequency_has_its_defaults() -> None:
    families = {Frequency(code).family for code in FREQUENCY_CODES}
    assert families == WINDOWS.keys() == JUDGED.keys() == AGES.keys()
    rules, daily = DriftRules(), Frequency("D")
    found = rules.window_of(daily), rules.judged_min_of(daily), rules.age_of(daily)
    assert found == (28, 7, 90)


def test_what_is_given_goes_before_the_defaults() -> None:
    rules, daily = DriftRules(window=14, judged_min=3, max_age_days=5), Frequency("D")
    found = rules.window_of(daily), rules.judged_min_of(daily), rules.age_of(daily)
    assert found == (14, 3, 5)


@pytest.mark.parametrize("wrong", [{"error_ratio": 0.9}, {"share_max": 1.1}, {"windows": 3}])
def test_rules_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        make_use_case(drift=wrong)
