from __future__ import annotations

import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVR

from many_models.core.dotted_path import find_callable, make_estimator, seed_estimator


def test_a_path_leads_to_a_class_or_a_function() -> None:
    assert find_callable("sklearn.svm.SVR") is SVR
    assert find_callable("sklearn.pipeline.make_pipeline") is make_pipeline


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sklearn.nothing.Model", "'sklearn.nothing.Model' cannot be imported"),
        ("sklearn.svm.Model", "'sklearn.svm.Model' cannot be imported"),
        ("sklearn.__version__", "'sklearn.__version__' is a str, not a class or a function"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        find_callable(path)


def test_an_estimator_is_made_of_what_is_given() -> None:
    assert make_estimator("svr", SVR, {"C": 2.0}).C == 2
    with pytest.raises(ValueError, match=r"svr cannot be made with {'D': 2}"):
        make_estimator("svr", SVR, {"D": 2})
    with pytest.raises(ValueError, match="dict makes a dict, not an estimator"):
        make_estimator("dict", dict, {})


def test_what_draws_at_random_is_seeded_unless_it_has_a_seed() -> None:
    both = make_pipeline(RandomForestRegressor(), RandomForestRegressor(random_state=1))
    seed_estimator(both, 7)
    assert [step.random_state for step in both] == [7, 1]
