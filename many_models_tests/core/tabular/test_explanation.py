from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from many_models.core.explanation import ModelEffect
from many_models.core.tabular.estimators import TabularProblem, make_candidate
from many_models.core.tabular.explanation import explain

CHANCE = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "strong": CHANCE.normal(size=600),
        "noise": CHANCE.normal(size=600) * 1e3,
        "empty": np.full(600, np.nan),
        "shop": CHANCE.choice(["a", "b"], 600).astype(object),
    }
)
NUMBERS = 5 * ROWS["strong"] + 2 * (ROWS["shop"] == "b") + CHANCE.normal(size=600) / 10
TARGETS: dict[str, tuple[TabularProblem, Any, tuple[str, ...]]] = {
    "numbers": ("regression", NUMBERS.to_numpy(), ()),
    "two classes": ("classification", (NUMBERS > 0).to_numpy(np.int64), ("no", "yes")),
    "three classes": ("classification", np.digitize(NUMBERS, [-3, 3]), ("low", "mid", "high")),
}


class Strange(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Has coefficients of something else than the columns."""

    def fit(self, x: Any, y: Any) -> Strange:
        self.coef_ = np.ones(99)
        return self


def effects(path: str, target: str, encoding: Any = None) -> tuple[ModelEffect, ...]:
    problem, values, classes = TARGETS[target]
    columns = (["strong", "noise", "empty"], ["shop"])
    fitted = make_candidate(path, {}, problem, encoding, columns, 0).fit(ROWS, values)
    return explain("mine", fitted, tuple(ROWS.columns), classes)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("regressor", "classifier", "kind"),
    [
        ("ridge", "logistic", "coefficient"),
        ("gradient_boosting", "gradient_boosting", "gain"),
        (
            "sklearn.ensemble.RandomForestRegressor",
            "sklearn.ensemble.RandomForestClassifier",
            "importance",
        ),
    ],
)
def test_the_column_that_decides_comes_first(
    target: str, regressor: str, classifier: str, kind: str
) -> None:
    found = effects(regressor if target == "numbers" else classifier, target)
    assert {effect.effect for effect in found} == {kind}
    assert {effect.member for effect in found} == {"mine"}
    assert found[0].feature == "strong"
    assert found[0].share_rank == 1
    assert sum(effect.share or 0 for effect in found) == pytest.approx(1)
    assert "empty" not in {effect.feature for effect in found}
    assert {effect.feature for effect in found} & {"shop", "shop_b"}


def test_a_coefficient_says_for_which_class_it_speaks() -> None:
    two = effects("logistic", "two classes")
    assert {effect.class_name for effect in two} == {"yes"}
    assert two[0].value > 0
    three = {
        e.class_name: e.value for e in effects("logistic", "three classes") if e.feature == "strong"
    }
    assert three["low"] < 0 < three["high"]
    assert {effect.class_name for effect in effects("ridge", "numbers")} == {None}


@pytest.mark.parametrize(
    "path",
    ["mean", "sklearn.neighbors.KNeighborsRegressor", f"{__name__}.Strange", "sklearn.svm.SVR"],
)
def test_an_estimator_that_tells_nothing_understandable_has_no_effects(path: str) -> None:
    assert effects(path, "numbers") == ()


def test_an_estimator_without_encoding_names_the_columns_as_they_are() -> None:
    problem, values, _ = TARGETS["numbers"]
    path, numbers = "sklearn.linear_model.LinearRegression", ROWS[["strong", "noise"]]
    fitted = make_candidate(path, {}, problem, "none", (["strong", "noise"], []), 0)
    found = explain("mine", fitted.fit(numbers, values), tuple(numbers.columns), ())
    assert [effect.feature for effect in found] == ["strong", "noise"]
