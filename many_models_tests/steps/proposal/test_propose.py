from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from many_models.adapters.sources.probe import SourceProbe
from many_models.core.errors import SourceError
from many_models.steps.proposal.choices import Choices
from many_models.steps.proposal.propose import Proposal, build_proposal
from many_models_tests.tables import probe_table, shop_table

LAST = date(2017, 3, 1)  # of the shop's 60 days
MADE = Choices(
    name="shop", time="day", keys=("store_id", "item"), target="sales", frequency="D", gaps="zero",
    horizon=7, known=("price", "promoted"), past=(), static=("region",), partitioning="item",
)  # fmt: skip


def propose(
    probe: SourceProbe, choices: Choices = MADE, *, today: date = LAST + timedelta(400)
) -> Proposal:
    return build_proposal(choices, probe, url=probe.source.url, today=today)


def test_one_row_for_each_group_and_day_needs_no_query(tmp_path: Path) -> None:
    found = propose(probe_table(tmp_path / "shop.db", shop_table()))
    assert found.query is None
    assert (found.rows, found.groups, found.partitions, found.periods) == (240, 4, 2, 60)
    assert (found.start, found.end, found.window) == (date(2017, 1, 1), LAST, "monthly")
    assert found.switches == ("promoted",)
    assert found.warnings == ()


def test_a_table_that_still_grows_has_no_end_and_daily_windows(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    found = propose(probe, today=LAST + timedelta(days=7))
    assert (found.end, found.window) == (None, "daily")


def test_the_time_of_a_load_is_found_and_is_no_feature(tmp_path: Path) -> None:
    table = shop_table()
    table["updated_at"] = table["loaded_at"] = "2017-03-02 05:00:00"
    assert propose(probe_table(tmp_path / "shop.db", table)).loaded_at == "loaded_at"
    assert propose(probe_table(tmp_path / "other.db", shop_table())).loaded_at is None


@pytest.mark.parametrize(
    ("frequency", "days", "age", "window"),
    [("W-SUN", 7, 0, "weekly"), ("W-SUN", 7, 400, "monthly"), ("MS", 31, 0, "monthly")],
)
def test_windows_follow_the_frequency(
    tmp_path: Path, frequency: str, days: int, age: int, window: str
) -> None:
    sundays = [date(2017, 1, 1) + timedelta(days * n) for n in range(60)]
    firsts = [day.replace(day=1) for day in sundays] if frequency == "MS" else sundays
    unique = list(dict.fromkeys(map(str, firsts)))
    probe = probe_table(tmp_path / "shop.db", shop_table(unique))
    today = date.fromisoformat(unique[-1]) + timedelta(days=age)
    found = propose(probe, replace(MADE, frequency=frequency), today=today)
    assert (found.query, found.window) == (None, window)


def test_rows_that_share_a_day_are_brought_together(tmp_path: Path) -> None:
    frame = pd.concat([shop_table(), shop_table().head(1)])
    found = propose(probe_table(tmp_path / "shop.db", frame))
    assert found.query is not None
    assert 'SUM("sales")' in found.query and 'AVG("price")' in found.query


def test_times_of_the_day_are_rounded_to_days(tmp_path: Path) -> None:
    times = [str(datetime(2017, 1, 1, 8, 30) + timedelta(days=n)) for n in range(60)]
    probe = probe_table(tmp_path / "shop.db", shop_table(times))
    found = propose(probe, replace(MADE, gaps="missing"))
    assert found.query is not None
    assert 'DATE("day") AS "day"' in found.query and 'AVG("sales")' in found.query


def test_weeks_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    with pytest.raises(SourceError, match="Make a view with one row for each group and period"):
        propose(probe, replace(MADE, frequency="W-TUE"))


def test_rounded_weeks_come_in_weekly_windows(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    found = propose(probe, replace(MADE, frequency="W-MON"))
    assert found.query is not None and found.window == "weekly"


def test_a_table_with_an_odd_name_is_read_by_a_query(tmp_path: Path) -> None:
    found = propose(probe_table(tmp_path / "shop.db", shop_table(), table="the shop"))
    assert found.query is not None
    assert 'FROM "the shop"' in found.query and "GROUP BY" not in found.query


def test_rows_without_a_key_are_warned_of(tmp_path: Path) -> None:
    frame = shop_table()
    frame.loc[[3, 4], "item"] = None
    found = propose(probe_table(tmp_path / "shop.db", frame))
    assert found.warnings == ("2 of 240 rows have no item; leave them out by a query or view",)


def test_a_short_past_asks_for_less(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    assert (propose(probe).folds, propose(probe).min_observations) == (3, 30)
    assert propose(probe, replace(MADE, horizon=20)).folds == 1


def test_negative_targets_have_no_floor(tmp_path: Path) -> None:
    frame = shop_table()
    frame.loc[0, "sales"] = -1.0
    assert not propose(probe_table(tmp_path / "shop.db", frame)).target_at_least_zero
