from __future__ import annotations

import numpy as np

from many_models.core.arrays import Ints
from many_models.core.isolation import PERIODS_AT_ONCE, run_isolated


class Work:
    """Doubles each group; refuses the bad ones; remembers the batches it was given."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.batches: list[list[int]] = []

    def __call__(self, groups: Ints) -> dict[int, str]:
        self.batches.append(groups.tolist())
        if found := self.bad & set(groups.tolist()):
            raise ValueError(f"bad: {sorted(found)}")
        return {group: f"done {group}" for group in groups.tolist()}


def _run(work: Work, count: int, periods: int = 100) -> dict[int, str]:
    lengths = np.full(count, periods)
    return run_isolated(np.arange(count), lengths, work, lambda group, error: f"{group}: {error}")


def test_all_groups_go_through_at_once_when_all_is_well() -> None:
    work = Work()
    assert _run(work, 5) == {group: f"done {group}" for group in range(5)}
    assert work.batches == [[0, 1, 2, 3, 4]]


def test_each_bad_group_is_blamed_alone() -> None:
    expected = {group: f"done {group}" for group in range(20)}
    expected |= {3: "3: bad: [3]", 4: "4: bad: [4]", 19: "19: bad: [19]"}
    assert _run(Work(3, 4, 19), 20) == expected


def test_a_shard_of_bad_groups_gives_all_of_them_back() -> None:
    assert _run(Work(*range(7)), 7) == {group: f"{group}: bad: [{group}]" for group in range(7)}


def test_no_groups_are_no_work() -> None:
    work = Work()
    assert _run(work, 0) == {}
    assert work.batches == []


def test_groups_that_are_long_go_through_in_batches() -> None:
    work = Work()
    assert len(_run(work, 10, periods=PERIODS_AT_ONCE // 3)) == 10
    assert all(len(batch) <= 4 for batch in work.batches)
    assert sorted(group for batch in work.batches for group in batch) == list(range(10))


def test_batches_can_be_of_a_few_groups() -> None:
    work = Work()
    run_isolated(np.arange(7), np.full(7, 10), work, lambda group, error: "", groups_at_once=3)
    assert work.batches == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_group_that_is_longer_than_a_batch_still_goes_through() -> None:
    assert len(_run(Work(), 3, periods=PERIODS_AT_ONCE * 5)) == 3
