from __future__ import annotations

from dataclasses import replace

import numpy as np

from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.candidates.terms import (
    CROSSED_WEIGHT,
    LAGGED_WEIGHT,
    RARE_WEIGHT,
    Terms,
)
from many_models_tests.core.forecast.candidates.samples import NAN

ROWS = np.array([[1.0, 10.0, -1.0, 7.0], [3.0, NAN, 1.0, 7.0], [5.0, -10.0, 1.0, 7.0]])
X = np.tile(ROWS, (8, 1))  # so often that there are rows enough for interactions
SAMPLE = Sample(
    x=X,
    y=np.tile([1.0, 2.0, 3.0], 8),
    linear=np.array([True, True, True, False]),
    season=7,
    horizon=2,
    origin=102,
    lagged=(1,),
    rare=(2,),
    crossed=((0, 2),),
)
AHEAD = Outlook(X[:2], np.zeros(2), np.empty(0), origin=102)


def _terms(trend: bool = False, interactions: bool = False, log: bool = False) -> Terms:
    return Terms.of(SAMPLE, trend=trend, interactions=interactions, log=log)


def test_terms_are_the_features_that_linear_models_take() -> None:
    np.testing.assert_array_equal(_terms().of_past(SAMPLE), X[:, :3])
    np.testing.assert_array_equal(_terms().of_future(AHEAD), X[:2, :3])


def test_a_trend_counts_periods_since_the_last_and_ever_less_after_it() -> None:
    terms = _terms(trend=True)
    assert terms.of_past(SAMPLE)[-3:, 3].tolist() == [-2, -1, 0]
    np.testing.assert_allclose(terms.of_future(AHEAD)[:, 3], [0.9, 0.9 + 0.81])
    later = replace(AHEAD, origin=103)
    np.testing.assert_allclose(terms.of_future(later)[:, 3], [1.71, 1.71 + 0.729])


def test_a_product_is_of_what_lies_above_the_mean_of_the_periods_learnt_from() -> None:
    terms = _terms(interactions=True)
    assert terms.of_past(SAMPLE)[:3, 3].tolist() == [2, 0, 2]
    unseen = replace(SAMPLE, y=np.where(X[:, 0] == 5, NAN, 1.0))
    unseen = replace(unseen, x=np.tile(X, (2, 1)), y=np.tile(unseen.y, 2))
    other = Terms.of(unseen, trend=False, interactions=True, log=False)
    assert other.of_past(unseen)[:3, 3].tolist() == [1, 1, 3]


def test_lagged_features_are_logarithms_where_the_target_is() -> None:
    found = _terms(log=True).of_past(SAMPLE)
    np.testing.assert_allclose(found[:3, 1], [np.log(11), NAN, -np.log(11)])
    np.testing.assert_array_equal(found[:, [0, 2]], X[:, [0, 2]])
    assert X[0, 1] == 10


def test_lagged_and_rare_features_and_products_are_trusted_less() -> None:
    terms = _terms(trend=True, interactions=True)
    assert terms.weights.tolist() == [1, LAGGED_WEIGHT, RARE_WEIGHT, 1, CROSSED_WEIGHT]
    assert _terms().weights.tolist() == [1, LAGGED_WEIGHT, RARE_WEIGHT]


def test_every_term_has_a_name() -> None:
    y = np.arange(200.0)  # enough for interactions
    sample = replace(SAMPLE, x=np.tile(X, (67, 1))[:200], y=y, crossed=((0, 2),))
    terms = Terms.of(sample, trend=True, interactions=True, log=False)
    names = terms.name(("a", "b", "c", "d"))
    assert names == ["a", "b", "c", "trend", "a x c"]
    assert len(names) == terms.of_past(sample).shape[1]


def test_few_rows_have_no_interactions() -> None:
    few = replace(SAMPLE, x=X[:19], y=SAMPLE.y[:19])
    enough = replace(SAMPLE, x=X[:20], y=SAMPLE.y[:20])
    for sample, crossed in ((few, 0), (enough, 1)):
        terms = Terms.of(sample, trend=False, interactions=True, log=False)
        assert len(terms.crossed) == crossed
