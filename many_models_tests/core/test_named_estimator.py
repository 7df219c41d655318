from __future__ import annotations

import pytest
from pydantic import ValidationError

from many_models.core.named_estimator import NamedEstimator, check_names


def test_a_string_is_short_for_an_estimator_named_after_the_end_of_its_path() -> None:
    short = NamedEstimator.model_validate("sklearn.svm.SVR")
    assert (short.name, short.estimator, short.parameters) == ("SVR", "sklearn.svm.SVR", {})
    given = {"name": "mine", "estimator": "sklearn.svm.SVR", "with": {"C": 2}}
    assert NamedEstimator.model_validate(given).name == "mine"
    assert NamedEstimator.model_validate(given).parameters == {"C": 2}


def test_what_it_writes_it_reads() -> None:
    found = NamedEstimator.model_validate({"estimator": "sklearn.svm.SVR", "with": {"C": 2}})
    assert NamedEstimator.model_validate(found.model_dump(mode="json")) == found
    assert NamedEstimator.model_validate(found.model_dump(mode="json", by_alias=True)) == found


@pytest.mark.parametrize("value", ["os; rm", "1ridge", "a..b", {"with": {}}, 7])
def test_what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        NamedEstimator.model_validate(value)


def test_names_are_given_once_and_the_baseline_is_among_them() -> None:
    ridge, mean = (NamedEstimator.model_validate(name) for name in ("ridge", "mean"))
    check_names([ridge, mean], "mean")
    with pytest.raises(ValueError, match=r"candidates.1: 'ridge' is named twice; give it a name"):
        check_names([ridge, ridge], "ridge")
    with pytest.raises(ValueError, match="the baseline 'mean' must be one of them"):
        check_names([ridge], "mean")
