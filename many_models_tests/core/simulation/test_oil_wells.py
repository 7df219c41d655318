from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from many_models.core.simulation.oil_wells import REPAIR_DAYS, SENSORS, SimulatedWells

SMALL = SimulatedWells(wells=80, fields=4, days=700, seed=2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    found: pd.DataFrame = SMALL.table().to_pandas()
    return found


def test_a_pump_that_fails_is_soon_to_fail_for_a_week_then_repaired(frame: pd.DataFrame) -> None:
    for _, well in frame[frame["fails"].notna() | (frame["running"] == 0)].groupby("well"):
        states = well["fails"].fillna("down").tolist()
        first = states.index("down")
        assert states[first - 8 : first] == ["no", *["soon"] * 7]
        assert states[first : first + REPAIR_DAYS] == ["down"] * REPAIR_DAYS
        assert states[first + REPAIR_DAYS] == "no"
        assert well["days_since_repair"].iloc[first + REPAIR_DAYS] == 0


def test_of_the_last_week_nobody_knows(frame: pd.DataFrame) -> None:
    days = frame["date"].drop_duplicates().sort_values().tolist()
    last = frame["date"].isin(days[-7:])
    assert frame.loc[last, "fails"].isna().all()
    assert frame.loc[~last & (frame["running"] == 1), "fails"].notna().all()


def test_pumps_live_about_as_long_as_said(frame: pd.DataFrame) -> None:
    stops = (frame.groupby("well")["running"].diff() == -1).sum()
    life = SMALL.rows / stops - REPAIR_DAYS
    assert life == pytest.approx(SMALL.mean_life, rel=0.12)


def test_wear_shows_in_the_wells_that_warn_and_in_no_other(frame: pd.DataFrame) -> None:
    known = frame[frame["fails"].notna()]
    usual = known.groupby("well")[list(SENSORS)]
    scaled = (known[list(SENSORS)] - usual.transform("mean")) / usual.transform("std")
    soon = scaled[known["fails"] == "soon"]
    shown = soon.groupby(known["well"]).mean().max(axis=1)
    warns = known.groupby("well")["warns"].first() == 1
    assert 0.5 < warns.mean() < 0.8
    assert shown[warns].min() > shown[~warns].quantile(0.9)
    silent = soon[known.loc[soon.index, "warns"] == 0]
    assert np.abs(silent.mean()).max() < 0.15
