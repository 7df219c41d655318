from __future__ import annotations

import itertools
import re

import pytest

from many_models.core.errors import UseCaseError
from many_models.core.keys import (
    group_key,
    model_name,
    parse_group_key,
    partition_of_hash,
    partition_of_value,
    pooled_name,
)

NASTY = (
    *(
        "",
        " ",
        "17",
        "a",
        "A",
        "/",
        ":",
        "'",
        '"',
        "..",
        "...",
        "....",
        ".",
        ",",
        "=",
        "%",
        "%%",
        "_",
    ),
    *("%2C", "%2c", "a,b", "a=b", "a,item=b", "a b", "a_b", "ä", "a\u0308", "🛒", "🛒🛒", "東京"),
    *("\n", "\r\t", "\x00", "\x1f", "-", "--", "a.b", "x" * 300, "x" * 301, "🛒" * 300),
    *("hash-7", "null", "None", "DROP TABLE x; --", "C:\\temp", "a|b", "[a]", "${HOME}"),
)
PAIRS = list(itertools.product(NASTY, NASTY))
COLUMNS = ("store", "item")


def test_a_composite_key_is_readable() -> None:
    assert group_key(COLUMNS, ("17", "DELI")) == "store=17,item=DELI"
    assert group_key(COLUMNS, ("a,b", "50%=half\n")) == "store=a%2Cb,item=50%25%3Dhalf%0A"


def test_no_two_groups_share_a_composite_key() -> None:
    assert len({group_key(COLUMNS, pair) for pair in PAIRS}) == len(PAIRS)


def test_a_composite_key_gives_back_its_values() -> None:
    assert [parse_group_key(group_key(COLUMNS, pair), COLUMNS) for pair in PAIRS] == PAIRS


def test_a_composite_key_may_name_its_columns_in_any_order() -> None:
    assert parse_group_key("item=DELI,store=17", COLUMNS) == ("17", "DELI")
    assert parse_group_key("item=a%2cb,store=", COLUMNS) == ("", "a,b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "store=17",
        "store=17,item=a,size=b",
        "store=1,store=2",
        "shop=17,item=a",
        "store=17,item",
    ],
)
def test_a_key_that_does_not_fit_is_answered_with_one_that_would(text: str) -> None:
    with pytest.raises(UseCaseError, match=re.escape("write store=...,item=...")) as failure:
        parse_group_key(text, COLUMNS)
    assert repr(text) in str(failure.value)


@pytest.mark.parametrize(
    ("value", "partition"),
    [("17", "17"), ("MEAT, FRESH", "MEAT, FRESH"), ("..", ".."), ("...", "%2E%2E%2E"), ("", "%")],
)
def test_a_partition_is_the_value_itself_where_it_can_be(value: str, partition: str) -> None:
    assert partition_of_value(value) == partition


def test_no_two_values_share_a_partition() -> None:
    assert len({partition_of_value(value) for value in NASTY}) == len(NASTY)


@pytest.mark.parametrize("value", NASTY)
def test_partitions_hold_nothing_that_dagster_or_delta_refuses(value: str) -> None:
    partition = partition_of_value(value)
    assert partition != ""
    assert not re.search(r"[\x00-\x1f]|\.\.\.", partition)


def test_hash_partitions_are_stable_and_numbered_alike() -> None:
    assert partition_of_hash("store=17,item=DELI", 100) == "hash-87"
    assert {partition_of_hash(str(n), 12) for n in range(500)} == {
        f"hash-{n:02d}" for n in range(12)
    }
    assert partition_of_hash("store=17,item=DELI", 1) == "hash-0"


def test_hash_partitions_are_about_equally_large() -> None:
    names = [partition_of_hash(f"store={n}", 10) for n in range(2000)]
    assert all(150 < names.count(name) < 250 for name in set(names))


def test_a_model_is_named_after_its_use_case_and_key() -> None:
    assert model_name("grocery", COLUMNS, ("17", "DELI")) == "grocery.17.DELI"
    assert re.fullmatch(
        r"grocery\.17\.MEAT_FRESH\.[0-9a-f]{16}",
        model_name("grocery", COLUMNS, ("17", "MEAT, FRESH")),
    )


def test_no_two_groups_share_a_model_name() -> None:
    assert len({model_name("grocery", COLUMNS, pair) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("value", ["MEAT, FRESH", "", "x" * 300])
def test_a_key_that_spells_out_another_ones_model_name_gets_its_own(value: str) -> None:
    name = model_name("grocery", ["item"], (value,))
    spelt_out = name.removeprefix("grocery.")
    assert model_name("grocery", ["item"], (spelt_out,)) != name
    assert model_name("grocery", ["item"], (spelt_out.replace(".", "-"),)) != name


def test_model_names_hold_nothing_that_mlflow_refuses() -> None:
    names = [model_name("u" * 40, COLUMNS, pair) for pair in PAIRS]
    assert max(map(len, names)) <= 250
    assert not any(re.search(r"[^\w.-]", name) for name in names)


def test_a_pooled_model_is_named_after_its_partition_and_as_no_group_is() -> None:
    assert pooled_name("grocery", "DELI") == "grocery~pooled.DELI"
    names = {pooled_name("grocery", value) for value in ("", "a b", "a_b", "DELI", "x" * 300)}
    assert len(names) == 5
    assert max(map(len, names)) <= 250
    assert not any(re.search(r"[^\w.~-]", name) for name in names)
    assert "~" not in model_name("grocery", COLUMNS, ("~pooled", "DELI~"))
