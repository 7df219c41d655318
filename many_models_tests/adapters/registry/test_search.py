from __future__ import annotations

import pytest

from many_models.adapters.registry.search import one_of_filters, tag_filter


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("CNTRL/STORE SUP", "tags.`partition` = 'CNTRL/STORE SUP'"),
        ('O\'Neil "x"', "tags.`partition` LIKE 'O_Neil _x_'"),
        ("a\\b\n;", "tags.`partition` LIKE 'a_b__'"),
    ],
)
def test_a_quote_becomes_a_wildcard(value: str, condition: str) -> None:
    assert tag_filter("partition", value) == condition


def test_names_are_asked_for_in_queries_that_fit_a_url() -> None:
    names = [f"grocery.{number:04d}" for number in range(1000)]

    conditions = list(one_of_filters("name", names))

    assert max(map(len, conditions)) < 4000
    assert [part for c in conditions for part in c[len("name IN (") : -1].split(",")] == [
        f"'{name}'" for name in names
    ]


def test_a_name_that_no_list_can_hold_gets_a_condition_of_its_own() -> None:
    assert list(one_of_filters("name", ["a", "b'c", "d"])) == [
        "name LIKE 'b_c'",
        "name IN ('a','d')",
    ]
