"""Names that are asked for, and those that there are."""

import pytest

from many_models.core.errors import UseCaseError
from many_models.defs.stage_ops import existing
from many_models_tests.fakes import make_use_case


def test_each_name_is_taken_once_in_the_order_asked_for() -> None:
    assert existing(make_use_case(), "partition", ["b", "a", "b"], ["a", "b", "c"]) == ["b", "a"]


def test_a_long_list_of_known_names_is_cut_short() -> None:
    known = [f"store {number}" for number in range(10, 30)]
    with pytest.raises(UseCaseError, match=r"no partition 'x'; it has store 10,.*store 19 \.\.\.$"):
        existing(make_use_case(), "partition", ["x"], known)


def test_a_use_case_without_partitions_says_so() -> None:
    with pytest.raises(UseCaseError, match="'sales' has no partition 'x'; it has none"):
        existing(make_use_case(), "partition", ["x"], [])
