from __future__ import annotations

import math
from datetime import date, datetime

import pytest

from many_models.dashboard import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234, "1,234"), (0.8152, "0.815"), (12.44, "12.4"), (1234.6, "1,235"), (0.0, "0"),
        (None, wording.NOTHING), (float("nan"), wording.NOTHING), ("late", "late"),
        (1e-9, "1e-09"), (-0.5, "-0.5"), (True, "True"),
    ],
)  # fmt: skip
def test_numbers_are_short_and_grouped(value: object, text: str) -> None:
    assert wording.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.234, "+23%"),
        (-0.03, "-3%"),
        (0.0, "0%"),
        (-0.001, "0%"),
        (None, wording.NOTHING),
        (math.nan, wording.NOTHING),
    ],
)
def test_skill_has_its_sign_but_for_zero(value: object, text: str) -> None:
    assert wording.signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2017, 12, 31), "2017-12-31"), (datetime(2017, 12, 31, 6, 5), "2017-12-31 06:05"),
        (date(2017, 12, 31), "2017-12-31"), (None, wording.NOTHING),
    ],
)  # fmt: skip
def test_midnight_is_not_written(value: object, text: str) -> None:
    assert wording.moment(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.052, "0.052 s"), (31.2, "31 s"), (720, "12 min"), (12_300, "3.4 h"), (None, "–")],  # noqa: RUF001
)  # fmt: skip
def test_durations_have_the_unit_that_suits(seconds: object, text: str) -> None:
    assert wording.duration(seconds) == text
