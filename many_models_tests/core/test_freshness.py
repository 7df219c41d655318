from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from many_models.core.freshness import describe_freshness, judge_freshness
from many_models.core.use_case import AnyUseCase
from many_models_tests.fakes import make_use_case

NOW = datetime(2024, 3, 10, 7)


def _use_case(**source: Any) -> AnyUseCase:
    given = {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01", **source}
    frequency = given.pop("frequency", "D")
    return make_use_case(source=given, time={"column": "date", "frequency": frequency})


@pytest.mark.parametrize(
    ("newest", "late"),
    [(datetime(2024, 3, 9), 0), (datetime(2024, 3, 8), 0), (datetime(2024, 3, 7), 1), (None, 68)],
)
def test_data_of_a_day_is_due_a_day_after_its_end(newest: datetime | None, late: int) -> None:
    found = judge_freshness(_use_case(), newest, NOW)
    assert (found.expected, found.periods_late) == (datetime(2024, 3, 8), late)
    assert found.holds is (late == 0)


def test_it_is_late_from_the_moment_that_it_is_due() -> None:
    found = judge_freshness(_use_case(), datetime(2024, 3, 7), datetime(2024, 3, 10))
    assert (found.holds, found.due) == (False, datetime(2024, 3, 10))
    before = judge_freshness(_use_case(), datetime(2024, 3, 7), datetime(2024, 3, 9, 23, 59))
    assert (before.holds, before.due) == (True, None)


@pytest.mark.parametrize(
    ("frequency", "hours", "expected"),
    [
        ("h", 2, datetime(2024, 3, 10, 4)),
        ("D", 60, datetime(2024, 3, 6)),
        ("W-MON", 24, datetime(2024, 2, 26)),
        ("MS", 24 * 5, datetime(2024, 2, 1)),
        ("MS", 24 * 10, datetime(2024, 1, 1)),
    ],
)
def test_what_is_due_follows_the_frequency_and_what_is_normal_for_the_source(
    frequency: str, hours: int, expected: datetime
) -> None:
    use_case = _use_case(frequency=frequency, expected_within_hours=hours)
    assert judge_freshness(use_case, None, NOW).expected == expected


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"end": "2024-02-29"}, "the source ended on 2024-02-29"),
        ({"start": "2024-03-09"}, "nothing is due yet"),
        ({"expected_within_hours": None}, "source.expected_within_hours is null"),
    ],
)
def test_data_of_which_no_more_is_expected_is_never_late(source: dict[str, Any], why: str) -> None:
    use_case = _use_case(**source)
    found = judge_freshness(use_case, datetime(2024, 2, 10), NOW)
    assert (found.holds, found.expected) == (True, None)
    assert why in describe_freshness(use_case, found, None)


def test_a_source_that_will_end_is_late_until_then() -> None:
    use_case = _use_case(end="2024-12-31")
    assert judge_freshness(use_case, datetime(2024, 3, 1), NOW).periods_late == 7


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        (datetime(2024, 3, 9), "the source was asked and had no more"),
        (datetime(2024, 3, 6), "no run has asked the source for it: start sales_ingest"),
        (None, "no run has asked the source for it"),
    ],
)
def test_the_remedy_depends_on_whether_the_source_was_asked(
    asked: datetime | None, remedy: str
) -> None:
    found = judge_freshness(_use_case(), datetime(2024, 3, 5), NOW)
    text = describe_freshness(_use_case(), found, asked)
    assert text.startswith(
        "sold to 2024-03-05; 3 periods to 2024-03-08 are missing, the first since 2024-03-08 UTC; "
    )
    assert remedy in text
