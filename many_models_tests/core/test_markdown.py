from __future__ import annotations

from many_models.core.markdown import tabulate


def test_a_table_has_its_columns_names_and_numbers_to_the_right() -> None:
    rows: list[dict[str, object]] = [
        {"group": "a|b", "score": 0.123456},
        {"group": "c\nd", "score": None},
    ]
    assert tabulate(rows).splitlines() == [
        "| group | score |",
        "| --- | ---: |",
        "| a\\|b | 0.1235 |",
        "| c d |  |",
    ]


def test_without_rows_it_says_so() -> None:
    assert tabulate([], empty="Nobody.") == "Nobody."
