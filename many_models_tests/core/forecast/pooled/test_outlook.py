from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.pooled.outlook import PooledSpec, describe, rows_ahead
from many_models_tests.core.forecast.pooled.partitions import (
    DAYS,
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    panel_of,
    series,
)
from many_models_tests.fakes import make_use_case

SPEC = PooledSpec.of(FeatureSpec.of(USE_CASE))
NAN = float("nan")


def _describe(past: list[float], step: int = 1) -> dict[str, list[float]]:
    padded = np.array([[NAN] * (SPEC.memory - len(past)) + past])
    x = np.zeros((1, len(FeatureSpec.of(USE_CASE).names)))
    rows = describe(SPEC, padded, np.zeros((1, 1)), np.array([0]), np.array([step]), x)
    return {"level": rows.level.tolist(), "scaled": rows.scaled[0].tolist(), "seen": [rows.seen[0]]}


def test_the_level_is_the_root_mean_square_of_the_last_weeks() -> None:
    assert _describe([100.0] * 10 + [3.0, 4.0] * 14)["level"] == pytest.approx([np.sqrt(12.5)])


def test_the_level_goes_further_back_where_there_was_nothing_lately() -> None:
    assert _describe([6.0] + [0.0] * 35)["level"] == pytest.approx([1.0])
    assert np.isnan(_describe([0.0] * 50)["level"]).all()
    assert np.isnan(_describe([])["level"]).all()


def test_seasonal_values_are_of_the_same_weekday_and_observed() -> None:
    past = [float(n) for n in range(28)]
    first, eighth = _describe(past, step=1)["scaled"], _describe(past, step=8)["scaled"]
    assert first[-2:] == [21.0, (21 + 14 + 7 + 0) / 4]
    assert eighth[-2:] == first[-2:]
    assert _describe(past, step=7)["scaled"][-2:] == [27.0, (27 + 20 + 13 + 6) / 4]


def test_rows_know_how_long_a_group_was_seen() -> None:
    assert _describe([1.0] * 9)["seen"] == [9]
    assert _describe([1.0, NAN, 1.0])["seen"] == [2]


def test_no_row_changes_with_what_comes_after_its_origin() -> None:
    features = FeatureSpec.of(USE_CASE)
    found = []
    for factor in (1.0, 1000.0):
        _, _, panel = panel_of(GROUPS)
        target = panel.target.copy()
        target[panel.periods > ORIGIN - 30] *= factor
        changed = replace(panel, target=target)
        origins = np.array([ORIGIN - 30, ORIGIN - 44])
        found.append(rows_ahead(SPEC, changed, build_features(changed, features), origins))
    for name in ("level", "seen", "scaled", "plain"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_a_group_that_begins_after_the_origin_has_rows_that_know_nothing_of_it() -> None:
    features = FeatureSpec.of(USE_CASE)
    _, _, panel = panel_of({("s", "old"): series(5, 0), ("s", "young"): series(5, 1, days=3)})
    rows = rows_ahead(SPEC, panel, build_features(panel, features), np.array([ORIGIN - 50]))
    assert rows.seen.tolist() == [min(DAYS - 50, SPEC.memory)] * HORIZON + [0] * HORIZON
    assert np.isnan(rows.scaled[HORIZON:]).all()


@pytest.mark.parametrize("frequency", ["h", "D", "W-MON", "MS", "QS", "YS"])
def test_every_frequency_has_its_windows_and_cycles(frequency: str) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": frequency}, horizon=10)
    spec = PooledSpec.of(FeatureSpec.of(use_case))
    assert use_case.frequency.season in spec.cycles
    assert spec.level_window <= spec.memory
    past = np.arange(1.0, spec.memory + 1)[None]
    steps = np.arange(1, 11)
    x = np.zeros((10, len(FeatureSpec.of(use_case).names)))
    rows = describe(spec, past, np.empty((1, 0)), np.zeros(10, dtype=int), steps, x)
    assert np.isfinite(rows.scaled).all()
