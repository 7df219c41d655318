from __future__ import annotations

from typing import Any

import pytest

from many_models.core.errors import RequestError
from many_models.core.online import Columns, find_groups, numbers
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case()


def test_rows_are_put_together_by_group_whatever_their_order() -> None:
    columns: Columns = {"item": ["a", "b", "a"], "store": [1, "1", "1"]}
    assert find_groups(columns, USE_CASE) == {("1", "a"): [0, 2], ("1", "b"): [1]}


@pytest.mark.parametrize("value", [None, 1.0, True, ["a"], {}, "\ud800"])
def test_a_key_that_is_neither_text_nor_a_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="store"):
        find_groups({"store": [value], "item": ["a"]}, USE_CASE)


def test_numbers_may_be_null() -> None:
    assert numbers({"price": [1, None, "2.5"]}, "price").tolist() == pytest.approx(
        [1.0, float("nan"), 2.5], nan_ok=True
    )


@pytest.mark.parametrize("value", ["much", [1.0], {}, 10**400, float("inf")])
def test_what_is_no_finite_number_is_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="price"):
        numbers({"price": [value]}, "price")


def test_a_missing_column_is_named_beside_those_given() -> None:
    with pytest.raises(RequestError, match=r"'price' is missing.*'cost'"):
        numbers({"cost": [1]}, "price")
