from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from many_models.core.tabular.holdout import choose_holdout
from many_models.core.tabular.use_case import Holdout

DAYS = np.arange(10).astype("datetime64[D]").astype("datetime64[us]")
CLASSES = np.array([0, 1, 0, 0, 0, 1, 0, 0, 0, 1])


def rows(times: np.ndarray, rules: Holdout, classes: np.ndarray | None = CLASSES) -> list[int]:
    found: list[int] = np.flatnonzero(choose_holdout(times, classes, rules)).tolist()
    return found


def test_by_time_the_last_rows_are_held_out() -> None:
    assert rows(DAYS, Holdout(share=0.3)) == [7, 8, 9]
    assert rows(DAYS, Holdout.model_validate({"from": date(1970, 1, 9)})) == [8, 9]
    assert rows(DAYS, Holdout(share=0.001)) == [9]


def test_a_moment_is_never_divided() -> None:
    assert rows(DAYS[[0, 1, 2, 7, 7, 7, 7, 7, 7, 7]], Holdout(share=0.2)) == list(range(3, 10))
    assert rows(DAYS[[0] * 9 + [1]], Holdout(share=0.5)) == [9]


def test_rows_of_one_moment_cannot_be_held_out_by_time() -> None:
    assert rows(DAYS[[0] * 10], Holdout(share=0.5)) == []
    assert rows(DAYS, Holdout.model_validate({"from": date(1969, 1, 1)})) == list(range(10))


def test_a_stratified_holdout_has_its_share_of_each_class_and_leaves_some_of_each() -> None:
    held = rows(DAYS, Holdout(by="stratified", share=0.3))
    assert sorted(CLASSES[held]) == [0, 0, 1]
    lone = np.array([1, *[0] * 9])
    assert 0 not in rows(DAYS, Holdout(by="stratified", share=0.9), lone)


@pytest.mark.parametrize("by", ["stratified", "random"])
def test_the_same_seed_draws_the_same_rows_and_another_others(by: str) -> None:
    rules = Holdout.model_validate({"by": by, "share": 0.5})
    assert rows(DAYS, rules) == rows(DAYS, rules)
    others = [rows(DAYS, rules.model_copy(update={"seed": seed})) for seed in range(1, 6)]
    assert any(rows(DAYS, rules) != other for other in others)


def test_a_random_holdout_needs_no_classes() -> None:
    assert len(rows(DAYS, Holdout(by="random", share=0.4), None)) == 4
