from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.calendar import CALENDAR, HOLIDAYS
from many_models.core.forecast.dataset import read_dataset
from many_models.core.forecast.features import (
    FeatureSpec,
    build_features,
    rolling_mean,
    seasonal_naive,
    shift,
)
from many_models.core.forecast.panel import Panel, build_panel
from many_models.core.forecast.public_holidays import FAMILIES
from many_models.core.forecast.use_case import UseCase
from many_models_tests.fakes import make_series, make_shard, make_use_case

NAN = float("nan")
RICH: dict[str, Any] = {"known": ["price", "promotion"], "past": ["visits"]}
HORIZONS = {"h": 30, "D": 10, "W-MON": 5, "MS": 3}  # each frequency, horizons that are no season


def _use_case(code: str, **fields: Any) -> UseCase:
    time = {"column": "date", "frequency": code}
    rich = {**RICH, "holidays": "US"} if code in FAMILIES else RICH
    return make_use_case(time=time, horizon=HORIZONS[code], features=rich, **fields)


def _panel_of(target: Floats, use_case: UseCase, seed: int = 0, ahead: int = 0) -> Panel:
    """One group that begins at period 650; its known features and visits are random."""
    chance = np.random.default_rng(seed)
    size = len(target) + ahead
    return Panel(
        origin=649 + len(target),
        ahead=ahead,
        starts=np.array([650]),
        history=np.array([len(target)]),
        target=np.concatenate([target, np.full(ahead, NAN)]),
        known=chance.normal(size=(size, len(use_case.features.known))),
        past=chance.normal(size=(size, len(use_case.features.past))),
    )


def _join(panels: list[Panel]) -> Panel:
    return replace(
        panels[0],
        starts=np.concatenate([panel.starts for panel in panels]),
        history=np.concatenate([panel.history for panel in panels]),
        target=np.concatenate([panel.target for panel in panels]),
        known=np.concatenate([panel.known for panel in panels]),
        past=np.concatenate([panel.past for panel in panels]),
    )


def _column(panel: Panel, use_case: UseCase, name: str) -> Floats:
    spec = FeatureSpec.of(use_case)
    return build_features(panel, spec)[:, spec.names.index(name)]


def _random_target(size: int, seed: int, gaps: float = 0.1) -> Floats:
    chance = np.random.default_rng(seed)
    return np.where(chance.random(size) < gaps, NAN, chance.normal(50, 10, size))


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("code", HORIZONS)
def test_no_feature_knows_a_target_or_a_past_feature_younger_than_the_horizon(
    code: str, gaps: float
) -> None:
    use_case = _use_case(code)
    spec, chance = FeatureSpec.of(use_case), np.random.default_rng(1)
    panel = _panel_of(_random_target(600, 2, gaps), use_case)
    features = build_features(panel, spec)
    for changed in chance.integers(0, 600, 20):
        target, past = panel.target.copy(), panel.past.copy()
        target[changed:], past[changed:] = chance.normal(size=600 - changed), 1e6
        found = build_features(replace(panel, target=target, past=past), spec)
        untouched = changed + spec.horizon
        np.testing.assert_array_equal(found[:untouched], features[:untouched])
        if untouched < 600:
            assert not np.array_equal(found[untouched:], features[untouched:], equal_nan=True)


@pytest.mark.parametrize("code", HORIZONS)
def test_features_of_the_horizon_and_before_ignore_what_the_source_says_of_later(code: str) -> None:
    use_case = _use_case(code)
    spec, horizon, size, after = FeatureSpec.of(use_case), use_case.horizon, 400, 60
    chance = np.random.default_rng(3)

    def features(later: float) -> tuple[Panel, Floats]:
        values = np.concatenate([_random_target(size, 4, 0), np.full(after, later)])
        known = np.random.default_rng(5).normal(size=(2, size + after))
        columns = {"price": known[0], "promotion": known[1], "visits": values * 2}
        series = make_series(use_case, "2020-01-06", values.tolist(), **columns)
        dataset = read_dataset(make_shard(use_case, {("1", "a"): series}), use_case)
        origin = int(dataset.periods[size - 1])
        panel = build_panel(dataset, np.array([0]), use_case, origin=origin, ahead=horizon)
        return panel, build_features(panel, spec)

    panel, first = features(later=1.0)
    _, second = features(later=chance.normal() * 1e9)
    np.testing.assert_array_equal(first, second)
    origins = np.array([panel.origin])
    naive = [seasonal_naive(p, origins, horizon, 7) for p, _ in (features(1.0), features(-1e9))]
    np.testing.assert_array_equal(naive[0], naive[1])


@pytest.mark.parametrize("code", HORIZONS)
def test_a_groups_features_are_bit_for_bit_those_it_has_alone(code: str) -> None:
    use_case = _use_case(code)
    spec = FeatureSpec.of(use_case)
    panel = _panel_of(_random_target(500, 6), use_case)
    huge = replace(panel, target=np.full(500, 1e15), past=np.full((500, 1), -1e15))
    empty = replace(panel, target=np.full(500, NAN))
    alone = build_features(panel, spec)
    between = build_features(_join([huge, panel, empty, panel, huge]), spec)
    np.testing.assert_array_equal(between[500:1000], alone)
    np.testing.assert_array_equal(between[1500:2000], alone)


@pytest.mark.parametrize("code", HORIZONS)
def test_the_last_rows_need_no_more_than_the_memory_of_the_model(code: str) -> None:
    use_case = _use_case(code)
    spec, ahead = FeatureSpec.of(use_case), use_case.horizon
    target = _random_target(spec.memory + 300, 7)
    panel = _panel_of(target, use_case, ahead=ahead)
    tail = replace(
        panel,
        starts=np.array([panel.origin + 1 - spec.memory]),
        target=panel.target[300:],
        known=panel.known[300:],
        past=panel.past[300:],
    )
    long, short = build_features(panel, spec), build_features(tail, spec)
    np.testing.assert_array_equal(short[-ahead:], long[-ahead:])
    origins, season = np.array([panel.origin]), spec.frequency.season
    np.testing.assert_array_equal(
        seasonal_naive(tail, origins, ahead, season), seasonal_naive(panel, origins, ahead, season)
    )


def test_one_large_value_spoils_no_later_window_of_its_group() -> None:
    use_case = make_use_case()
    target = np.full(200, 0.1)
    target[20] = 1e17
    means = _column(_panel_of(target, use_case), use_case, "target_mean_7")
    np.testing.assert_allclose(means[60:], 0.1)


def test_lags_and_means_are_aligned() -> None:
    use_case = make_use_case(horizon=10, features={"past": ["visits"]})
    target = np.arange(100.0)
    panel = replace(_panel_of(target, use_case), past=target[:, None] * 2)
    row = 60
    assert _column(panel, use_case, "target_lag_14")[row] == 46
    assert _column(panel, use_case, "target_same_season_mean_4")[row] == np.mean([46, 39, 32, 25])
    assert _column(panel, use_case, "target_mean_7")[row] == np.mean(target[44:51])
    assert _column(panel, use_case, "target_mean_28")[row] == np.mean(target[23:51])
    assert _column(panel, use_case, "target_mean_91")[row] == np.mean(target[0:51])
    assert _column(panel, use_case, "visits_mean_7")[row] == 2 * np.mean(target[44:51])


def test_lags_and_means_are_missing_until_history_reaches_back_to_them() -> None:
    use_case = make_use_case(horizon=10)
    panel = _panel_of(np.arange(50.0), use_case)
    complete = ~np.isnan(build_features(panel, FeatureSpec.of(use_case)))
    names = FeatureSpec.of(use_case).names
    assert (
        np.isnan(_column(panel, use_case, "target_lag_14")).tolist() == [True] * 14 + [False] * 36
    )
    assert (
        np.isnan(_column(panel, use_case, "target_mean_7")).tolist() == [True] * 10 + [False] * 40
    )
    assert {name for name, there in zip(names, complete.T, strict=True) if not there.all()} == {
        *("target_lag_14", "target_same_season_mean_4"),
        *("target_mean_7", "target_mean_28", "target_mean_91"),
    }


def test_means_are_of_the_values_that_are_there() -> None:
    panel = _panel_of(np.array([1, NAN, 3, NAN, NAN, NAN, 7]), make_use_case())
    np.testing.assert_array_equal(
        rolling_mean(panel, panel.target, 1, 3), [NAN, 1, 1, 2, 3, 3, NAN]
    )
    np.testing.assert_array_equal(shift(panel, panel.target, 2), [NAN, NAN, 1, NAN, 3, NAN, NAN])
    assert np.isnan(rolling_mean(panel, panel.target, 7, 3)).all()
    assert np.isnan(shift(panel, panel.target, 99)).all()


@pytest.mark.parametrize(
    ("code", "horizon", "lag"),
    [("D", 7, 7), ("D", 8, 14), ("D", 28, 28), ("h", 25, 48), ("W-SUN", 1, 52), ("MS", 13, 24)],
)
def test_the_seasonal_lag_is_whole_seasons_and_no_younger_than_the_horizon(
    code: str, horizon: int, lag: int
) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, horizon=horizon)
    assert FeatureSpec.of(use_case).seasonal_lag == lag


@pytest.mark.parametrize("code", HORIZONS)
def test_every_column_has_a_name_and_known_features_meet_in_pairs(code: str) -> None:
    use_case = _use_case(code)
    spec = FeatureSpec.of(use_case)
    panel = _panel_of(_random_target(50, 8), use_case)
    features = build_features(panel, spec)
    assert features.shape == (50, len(spec.names))
    assert len(set(spec.names)) == len(spec.names)
    np.testing.assert_array_equal(
        features[:, spec.names.index("price x promotion")], panel.known[:, 0] * panel.known[:, 1]
    )


@pytest.mark.parametrize("code", HORIZONS)
def test_a_linear_model_takes_all_but_the_calendars_ordinal_numbers(code: str) -> None:
    spec = FeatureSpec.of(_use_case(code))
    taken = {name for name, linear in zip(spec.names, spec.linear, strict=True) if linear}
    assert set(spec.names) - taken == set(CALENDAR[spec.frequency.family])


def test_a_known_feature_called_like_a_calendar_number_still_counts_for_a_linear_model() -> None:
    spec = FeatureSpec.of(make_use_case(features={"known": ["day_of_week"]}))
    assert spec.linear[spec.names.index("day_of_week")]


def test_features_of_another_version_are_refused() -> None:
    use_case = make_use_case()
    old = replace(FeatureSpec.of(use_case), version=0)
    with pytest.raises(ValueError, match=r"version 0 of the feature definitions.* train it again"):
        build_features(_panel_of(np.zeros(9), use_case), old)


def _naive(target: list[float], back: list[int], horizon: int, season: int = 7) -> Floats:
    panel = _panel_of(np.array(target), make_use_case())
    origins: Ints = panel.origin - np.array(back)
    found: Floats = seasonal_naive(panel, origins, horizon, season)[0]
    return found


def test_the_seasonal_naive_repeats_the_last_season_for_longer_horizons_too() -> None:
    days = [float(day) for day in range(21)]
    week = [14.0, 15, 16, 17, 18, 19, 20]
    assert _naive(days, [0], 16).tolist() == [[*week, *week, 14, 15]]
    assert _naive(days, [0, 1], 2).tolist() == [[14, 15], [13, 14]]


def test_the_seasonal_naive_goes_back_a_season_where_a_value_is_missing() -> None:
    days = [float(day) for day in range(28)] + [NAN, NAN, 30, 31, 32, 33, 34]
    days[21] = NAN
    assert _naive(days, [0], 9).tolist() == [[14, 22, 30, 31, 32, 33, 34, 14, 22]]


def test_the_seasonal_naive_ends_with_the_last_value_there_is() -> None:
    assert _naive([1, 2, NAN], [0], 3, season=7).tolist() == [[2, 2, 2]]
    five_weeks = [8.0] + [NAN] * 34
    assert _naive(five_weeks, [0], 1).tolist() == [[8]]
    np.testing.assert_array_equal(_naive([NAN, 5], [1, 2, 9], 2, season=7), np.full((3, 2), NAN))


def test_the_seasonal_naive_of_a_group_takes_nothing_from_its_neighbours() -> None:
    use_case = make_use_case()
    full, bare, thin = (
        _panel_of(np.array(target), use_case)
        for target in ([1.0, 2, 3], [NAN, NAN, NAN], [NAN, 5.0, NAN])
    )
    panel = _join([full, bare, thin])
    found = seasonal_naive(panel, np.array([panel.origin, panel.origin - 2]), 1, season=7)
    np.testing.assert_array_equal(found[:, :, 0], [[3, 1], [NAN, NAN], [5, NAN]])


@pytest.mark.parametrize("code", HORIZONS)
def test_the_columns_that_linear_models_treat_apart_are_named_as_such(code: str) -> None:
    spec = FeatureSpec.of(_use_case(code))
    names = spec.names
    assert [names[column] for column in spec.lagged] == [
        name for name in names if name.startswith("target_") or name.startswith("visits_")
    ]
    crossed = {(names[known], names[wave]) for known, wave in spec.crossed}
    weeks = {name for name in names if name.startswith("week_")}
    assert crossed == {(known, wave) for known in ("price", "promotion") for wave in weeks}
    assert bool(weeks) == (code in FAMILIES)


def test_holidays_come_before_the_known_features_and_count_for_linear_models() -> None:
    plain, festive = (
        FeatureSpec.of(make_use_case(features={**RICH, **more}))
        for more in ({}, {"holidays": "US"})
    )
    first = festive.names.index("holiday")
    assert set(festive.names) - set(plain.names) == set(HOLIDAYS)
    assert festive.names[first + len(HOLIDAYS)] == "price"
    assert festive.linear[first : first + len(HOLIDAYS)].all()
    assert festive.rare == tuple(range(first, first + len(HOLIDAYS)))
    assert plain.rare == ()
    panel = _panel_of(np.zeros(40), make_use_case(features=RICH))  # from 1971-10-13
    flags = build_features(panel, festive)[:, first]
    assert flags.nonzero()[0].tolist() == [12]  # Veterans Day, in October then
