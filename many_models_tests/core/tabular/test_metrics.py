from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from many_models.core.tabular.metrics import measure_classes, measure_numbers


def test_errors_of_numbers_are_those_of_scikit_learn() -> None:
    actual, predicted = np.array([1.0, 2.0, 4.0, 9.0]), np.array([1.5, 2.0, 3.0, 7.0])
    found = measure_numbers(actual, predicted)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(actual, predicted))
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(actual, predicted))
    assert found["r2"] == pytest.approx(sk.r2_score(actual, predicted))


def test_r2_of_equal_numbers_is_undefined() -> None:
    assert np.isnan(measure_numbers(np.full(3, 2.0), np.arange(3.0))["r2"])


@pytest.mark.parametrize("positive", [None, 0, 1])
def test_figures_of_classes_are_those_of_scikit_learn(positive: int | None) -> None:
    draw = np.random.default_rng(0)
    actual, predicted = draw.integers(0, 2, 50), draw.integers(0, 2, 50)
    shares = draw.dirichlet([1, 1], 50)
    found = measure_classes(actual, predicted, shares, positive)
    average = {"average": "macro"} if positive is None else {"pos_label": positive}
    assert found["accuracy"] == sk.accuracy_score(actual, predicted)
    assert found["f1"] == pytest.approx(sk.f1_score(actual, predicted, **average))
    assert found["log_loss"] == pytest.approx(sk.log_loss(actual, shares))


def test_a_class_that_was_held_impossible_costs_much_but_not_everything() -> None:
    found = measure_classes(np.array([1]), np.array([0]), np.array([[1.0, 0.0]]), None)
    assert found["log_loss"] == pytest.approx(-np.log(1e-15))


def test_without_probabilities_there_is_no_log_loss() -> None:
    found = measure_classes(np.array([0, 1]), np.array([0, 0]), None, 7)
    assert np.isnan(found["log_loss"])
    assert (found["accuracy"], found["f1"]) == (0.5, 0.0)
