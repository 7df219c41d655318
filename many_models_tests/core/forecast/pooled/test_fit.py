from __future__ import annotations

import pickle

import numpy as np
import pyarrow.compute as pc
import pytest

from many_models.core.forecast.dataset import read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.panel import build_panel
from many_models.core.forecast.pooled.fit import ROWS_MIN, PooledFit, fit_pooled, scale_rows
from many_models.core.forecast.pooled.outlook import PooledRows
from many_models.core.forecast.pooled.sampling import category_values, sample_rows
from many_models_tests.core.forecast.pooled.partitions import (
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    Groups,
    fits,
    panel_of,
    rows_of,
    series,
)
from many_models_tests.fakes import make_series, make_shard, make_use_case

NAN = float("nan")


def _forecast(fit: PooledFit, groups: Groups) -> dict[tuple[str, ...], np.ndarray]:
    dataset, every, panel = panel_of(groups)
    values = [category_values(dataset, group) for group in every.tolist()]
    features = build_features(panel, FeatureSpec.of(USE_CASE))
    found = fit.ahead(panel, features, values, ORIGIN).forecast
    return dict(zip(dataset.keys, found, strict=True))


def test_it_knows_the_shape_of_the_week_at_every_level_and_age() -> None:
    days = np.arange(120, 120 + HORIZON)
    shape = 1 + 0.5 * np.sin(2 * np.pi * days / 7)
    for level in (1e-6, 1.0, 1e6):
        for age in (10, 120):
            young = series(level, 99, days=age)
            promo = np.array(young["promo"][-HORIZON:])
            found = _forecast(fits().final, {("new", "new"): young})[("new", "new")]
            assert np.corrcoef(found / (1 + promo), shape)[0, 1] > 0.9
            assert 0.6 < found.mean() / (level * shape * (1 + promo)).mean() < 1.4


def test_it_knows_what_a_promotion_does_to_a_group_that_never_had_one() -> None:
    quiet = series(10, 5, days=20)
    plain = {**quiet, "promo": [0.0] * len(quiet["promo"])}
    promoted = {**quiet, "promo": [*[0.0] * 20, *[1.0] * HORIZON]}
    without, with_promo = (
        _forecast(fits().final, {("new", "new"): each})[("new", "new")]
        for each in (plain, promoted)
    )
    assert (with_promo > 1.3 * without).all()


def test_a_group_that_was_never_observed_has_the_level_of_its_like() -> None:
    nothing = series(1, 0, days=1)
    unseen = {**nothing, "sold": [None] * len(nothing["sold"])}
    found = _forecast(fits().final, {("s0", "unseen"): unseen, ("s1", "seen"): series(8, 3)})
    assert np.isfinite(found[("s0", "unseen")]).all()
    assert 1 < found[("s0", "unseen")].mean() < 1000


def test_what_came_after_its_origin_changes_nothing() -> None:
    rows = rows_of(GROUPS)
    before = rows.filter(pc.less_equal(rows["period"], ORIGIN - 20))
    past, cut = (fit_pooled(each, USE_CASE, ORIGIN - 20) for each in (rows, before))
    assert pickle.dumps(past) == pickle.dumps(cut)


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = rows_of(GROUPS)
    shuffled = rows.take(np.random.default_rng(0).permutation(len(rows)))
    first, second = (fit_pooled(each, USE_CASE, ORIGIN) for each in (rows, shuffled))
    assert pickle.dumps(first) == pickle.dumps(second)


def test_it_is_small() -> None:
    assert len(pickle.dumps(fits().final)) < 30_000


def test_too_few_rows_make_no_model() -> None:
    rows = rows_of(GROUPS)
    assert fit_pooled(rows.slice(0, ROWS_MIN - 1), USE_CASE, ORIGIN) is None
    assert fit_pooled(rows, USE_CASE, ORIGIN - 200) is None


@pytest.mark.parametrize("target", [0.0, NAN])
def test_groups_that_are_never_above_zero_make_no_model(target: float) -> None:
    groups = {
        ("s", str(n)): {**series(1, n), "sold": [target] * 120 + [None] * 7} for n in range(5)
    }
    assert fit_pooled(rows_of(groups), USE_CASE, ORIGIN) is None


def test_squared_metrics_are_served_by_means_and_others_by_less() -> None:
    """Of demand that is mostly small and sometimes huge, the mean lies above the rest."""
    chance = np.random.default_rng(3)
    groups = {
        ("s", str(n)): {
            **series(1, n),
            "sold": [*np.where(chance.random(120) < 0.05, 50.0, 1.0).tolist(), *[None] * 7],
        }
        for n in range(20)
    }
    squared = USE_CASE.model_copy(
        update={"validation": USE_CASE.validation.model_copy(update={"metric": "rmsse"})}
    )
    rows = rows_of(groups)
    means = []
    for use_case in (squared, USE_CASE):
        fit = fit_pooled(rows, use_case, ORIGIN)
        assert fit is not None
        means.append(np.mean([found.mean() for found in _forecast(fit, groups).values()]))
    assert means[0] > 1.3 * means[1]


def test_rows_are_in_units_of_their_level_or_of_what_is_usual() -> None:
    rows = PooledRows(
        level=np.array([4.0, NAN, NAN]),
        seen=np.array([10, 0, 9]),
        scaled=np.array([[8.0], [NAN], [0.0]]),
        plain=np.zeros((3, 1)),
    )
    matrix, scale = scale_rows(rows, np.array([2.0, 2.0, 2.0]), np.empty((3, 0)))
    assert scale.tolist() == [4.0, 2.0, 0.2]
    np.testing.assert_allclose(
        matrix[:, 1:], [[2, 3 / 13 * np.log(0.5)], [NAN, 0], [0, 3 / 12 * np.log(10)]]
    )


@pytest.mark.parametrize(
    ("code", "horizon", "periods"),
    [("h", 48, 400), ("W-MON", 4, 120), ("MS", 12, 72), ("QS", 4, 40), ("YS", 2, 30)],
)
def test_every_frequency_is_learnt(code: str, horizon: int, periods: int) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code}, horizon=horizon)
    season = use_case.frequency.season
    number = np.arange(periods + horizon)
    shape = 2 + np.sin(2 * np.pi * number / season) if season > 1 else np.ones(len(number))
    groups = {
        ("s", str(n)): make_series(
            use_case,
            "2000-01-03" if code.startswith("W") else "2000-01-01",
            (4.0**n * shape * np.random.default_rng(n).lognormal(0, 0.1, len(number)))[
                :periods
            ].tolist(),
        )
        for n in range(10)
    }
    shard = make_shard(use_case, groups)
    dataset = read_dataset(shard, use_case)
    origin = int(dataset.periods.max())
    through = use_case.frequency.to_time(np.array([origin]))[0]
    rows = sample_rows(shard, use_case, trained_through=through, groups=len(groups))
    fit = fit_pooled(rows, use_case, origin)
    assert fit is not None
    every = np.arange(len(groups))
    panel = build_panel(dataset, every, use_case, origin=origin, ahead=horizon)
    features = build_features(panel, FeatureSpec.of(use_case))
    values = [category_values(dataset, group) for group in every.tolist()]
    found = fit.ahead(panel, features, values, origin).forecast
    relative = found / (4.0 ** every[:, None] * shape[periods:])
    assert (np.abs(relative - 1) < 0.5).mean() > 0.9
