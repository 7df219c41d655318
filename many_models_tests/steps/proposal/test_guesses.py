from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from many_models.steps.proposal import guesses
from many_models.steps.proposal.choices import Choices
from many_models.steps.proposal.guesses import guess, options
from many_models_tests.tables import DAYS, probe_table, shop_table

START = datetime(2017, 1, 2)  # a Monday
MADE = Choices(
    name="shop", time="day", keys=("store_id", "item"), target="sales", frequency="D", gaps="zero",
    horizon=7, known=(), past=("price",), static=(),
)  # fmt: skip


def times_table(times: list[datetime]) -> pd.DataFrame:
    return pd.DataFrame(
        {"shop": "a", "at": [str(time) for time in times], "money": range(len(times))}
    )


def test_a_shop_is_understood(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table())
    choices = Choices()
    for field in choices.fields:
        choices = Choices(**{**vars(choices), field: guess(field, choices, probe)})
    assert choices == Choices(
        name="shop",
        time="day",
        keys=("store_id", "item"),
        target="sales",
        frequency="D",
        gaps="zero",
        horizon=12,
        known=(),
        past=("price", "promoted"),
        static=("region",),
        partitioning="store_id",
    )


@pytest.mark.parametrize(
    ("times", "frequency"),
    [
        ([START + timedelta(hours=h) for h in range(100)], "h"),
        ([START + timedelta(minutes=15 * q) for q in range(400)], "h"),
        ([START + timedelta(hours=7 * e, minutes=e) for e in range(60)], "D"),
        ([START + timedelta(days=d) for d in range(30)], "D"),
        ([START + timedelta(days=d, hours=6) for d in range(30) if d % 7 < 5], "D"),
        ([START + timedelta(weeks=w) for w in range(10)], "W-MON"),
        ([START + timedelta(weeks=w, days=3) for w in range(10)], "W-THU"),
        ([START + timedelta(weeks=w, days=w % 2) for w in range(10)], "W-MON"),
        ([datetime(2017, m, 1) for m in range(1, 13)], "MS"),
        ([datetime(2017, m + 1, 1) - timedelta(days=1) for m in range(1, 12)], "MS"),
        ([START], None),
    ],
)
def test_times_show_their_frequency(
    tmp_path: Path, times: list[datetime], frequency: str | None
) -> None:
    probe = probe_table(tmp_path / "shop.db", times_table(times))
    assert guess("frequency", Choices(time="at", keys=("shop",)), probe) == frequency


def test_of_two_times_the_one_that_is_no_bookkeeping_counts(tmp_path: Path) -> None:
    probe = probe_table(tmp_path / "shop.db", shop_table().assign(updated_at="2020-01-01"))
    assert guess("time", Choices(), probe) == "day"


def test_two_equal_times_are_not_decided(tmp_path: Path) -> None:
    frame = shop_table().assign(ordered="2020-01-01", shipped="2020-01-02")
    probe = probe_table(tmp_path / "shop.db", frame)
    assert guess("time", Choices(), probe) is None
    assert options("time", Choices(), probe) == ("day", "ordered", "shipped")


def test_two_equal_targets_are_not_decided(tmp_path: Path) -> None:
    frame = shop_table().assign(quantity=shop_table()["sales"] * 2)
    probe = probe_table(tmp_path / "shop.db", frame)
    made = Choices(time="day", keys=("store_id", "item"))
    assert guess("target", made, probe) is None
    assert options("target", made, probe) == ("price", "promoted", "sales", "quantity")


def test_a_nameless_number_is_the_target_when_it_is_the_only_one(tmp_path: Path) -> None:
    frame = shop_table()[["store_id", "day", "price", "promoted"]]
    made = Choices(time="day", keys=("store_id",))
    assert guess("target", made, probe_table(tmp_path / "shop.db", frame)) == "price"


def test_keys_that_leave_few_rows_in_a_group_are_no_guess(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": [i % 20 for i in range(200)],
            "product_id": [i // 20 + i % 7 for i in range(200)],
            "day": [DAYS[i % 60] for i in range(200)],
        }
    )
    assert guess("keys", Choices(time="day"), probe_table(tmp_path / "shop.db", frame)) is None


def test_a_column_with_a_role_or_an_odd_name_is_not_guessed_again(tmp_path: Path) -> None:
    frame = shop_table().rename(columns={"promoted": "Is promoted", "region": "status"})
    probe = probe_table(tmp_path / "shop.db", frame)
    assert guess("past", MADE, probe) == ()
    assert guess("static", MADE, probe) == ()
    assert guess("keys", Choices(time="day", target="item"), probe) == ("store_id",)


@pytest.mark.parametrize(
    ("name", "low", "gaps"),
    [("sales", 0.0, "zero"), ("sales", -3.0, "missing"), ("temperature", 0.0, "missing")],
)
def test_only_amounts_are_zero_in_a_gap(tmp_path: Path, name: str, low: float, gaps: str) -> None:
    frame = shop_table().rename(columns={"sales": name})
    frame.loc[0, name] = low
    probe = probe_table(tmp_path / "shop.db", frame)
    assert guess("gaps", Choices(target=name), probe) == gaps


def test_the_horizon_leaves_room_for_a_backtest(tmp_path: Path) -> None:
    long = probe_table(
        tmp_path / "long.db", times_table([START + timedelta(d) for d in range(400)])
    )
    short = probe_table(
        tmp_path / "short.db", times_table([START + timedelta(d) for d in range(3)])
    )
    made = Choices(time="at", frequency="D")
    assert [guess("horizon", made, probe) for probe in (long, short)] == [28, 1]


def test_partitions_are_the_values_of_the_key_with_fewest_unless_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = shop_table().assign(country="NZ")
    probe = probe_table(tmp_path / "shop.db", frame)
    keys = Choices(time="day", keys=("country", "item", "store_id"))
    assert guess("partitioning", keys, probe) == "item"
    assert guess("partitioning", Choices(time="day", keys=("country",)), probe) == "country"
    monkeypatch.setattr(guesses, "PARTITIONS_MAX", 1)
    monkeypatch.setattr(guesses, "GROUPS_A_BUCKET", 4)
    assert guess("partitioning", keys, probe) == 1
    monkeypatch.setattr(guesses, "GROUPS_A_BUCKET", 3)
    assert guess("partitioning", keys, probe) == 2
