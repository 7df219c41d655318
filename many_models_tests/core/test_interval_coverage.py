from __future__ import annotations

import pytest

from many_models.core.interval_coverage import LevelCoverage, describe_levels


@pytest.mark.parametrize(
    ("level", "covered", "text"),
    [
        (0.9, 90, "90% intervals cover 90.0% of 100 actuals"),
        (0.9, 78, "90% intervals cover 78.0% of 100 actuals"),
        (0.9, 70, "90% intervals cover 70.0% of 100 actuals: they are too narrow"),
        (0.5, 90, "50% intervals cover 90.0% of 100 actuals: they are too wide"),
    ],
)
def test_coverage_far_from_the_level_is_said_to_be_so(
    level: float, covered: int, text: str
) -> None:
    found = LevelCoverage(level, judged=100, covered=covered, groups=100)
    assert (found.holds, found.text) == (" too " not in text, text)


def test_few_groups_leave_more_to_chance() -> None:
    assert LevelCoverage(0.9, judged=280, covered=196, groups=4).holds
    assert not LevelCoverage(0.9, judged=280, covered=196, groups=280).holds


def test_nothing_judged_is_no_failure() -> None:
    found = LevelCoverage(0.9, 0, 0, 0)
    assert (found.holds, found.coverage) == (True, None)
    assert describe_levels([found]) == "nothing to judge the 90% intervals by yet"
