from __future__ import annotations

import pytest

from many_models.core.forecast.validation import Validation, level_name


def test_the_main_level_has_plain_columns_and_the_others_are_named_by_percent() -> None:
    rules = Validation(interval=0.9, levels=(0.8, 0.975))
    assert rules.all_levels == (0.9, 0.8, 0.975)
    assert rules.bound_columns == (
        *("lower", "upper"),
        *("lower_80", "upper_80"),
        *("lower_97_5", "upper_97_5"),
    )
    assert rules.coverage_columns == ("coverage", "coverage_80", "coverage_97_5")


def test_without_further_levels_there_are_no_further_columns() -> None:
    assert Validation().bound_columns == ("lower", "upper")
    assert Validation().coverage_columns == ("coverage",)


@pytest.mark.parametrize(
    ("level", "name"), [(0.8, "80"), (0.55, "55"), (0.07, "7"), (0.999, "99_9"), (0.005, "0_5")]
)
def test_a_level_is_named_in_percent(level: float, name: str) -> None:
    assert level_name(level) == name
