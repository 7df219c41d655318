from __future__ import annotations

import json
from typing import Any

import pytest

from many_models.adapters.serving.protocol import read_columns, write_predictions
from many_models.core.errors import RequestError

RECORDS = [{"store": 1, "date": "2024-01-01"}, {"store": 2, "date": "2024-01-02"}]
SPLIT = [[1, "2024-01-01"], [2, "2024-01-02"]]
COLUMNS = {"store": [1, 2], "date": ["2024-01-01", "2024-01-02"]}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": RECORDS},
        {"dataframe_split": {"columns": ["store", "date"], "data": SPLIT}},
        {"inputs": COLUMNS},
        {"inputs": RECORDS, "params": None},
        {"instances": RECORDS, "params": {}},
    ],
)
def test_every_format_gives_the_same_columns(body: Any) -> None:
    found = read_columns(json.dumps(body).encode(), 10)
    assert {name: list(values) for name, values in found.items()} == COLUMNS


def test_what_a_record_leaves_out_is_null() -> None:
    body = {"dataframe_records": [{"store": 1}, {"date": "2024-01-01"}]}
    found = read_columns(json.dumps(body).encode(), 10)
    assert found == {"store": [1, None], "date": [None, "2024-01-01"]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "must be a JSON object"),
        ({}, "exactly one of"),
        ({"inputs": COLUMNS, "instances": RECORDS}, "exactly one of"),
        ({"inputs": COLUMNS, "extra": 1}, "'extra' is unknown"),
        ({"inputs": COLUMNS, "params": {"a": 1}}, "params"),
        ({"inputs": COLUMNS, "params": 1}, "params"),
        ({"dataframe_split": {"columns": ["a"]}}, "columns and data"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "a column twice"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "row 0"),
        ({"dataframe_split": {"columns": ["a"], "data": {"a": 1}}}, "list of rows"),
        ({"dataframe_split": {"columns": [1], "data": []}}, "list of texts"),
        ({"dataframe_split": {"columns": ["a"], "data": []}}, "no rows"),
        ({"dataframe_records": [[1]]}, "list of objects"),
        ({"dataframe_records": []}, "no rows"),
        ({"inputs": {"a": [1], "b": []}}, "different lengths"),
        ({"inputs": {"a": 1}}, "a list for each column"),
        ({"inputs": {}}, "no rows"),
        ({"inputs": {"a": [1] * 11}}, "at most 10"),
    ],
)
def test_what_cannot_be_read_is_refused_by_what_is_wrong(body: Any, text: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RequestError, match=text):
        read_columns(content, 10)


def test_floats_come_back_as_they_were() -> None:
    value = 0.1 + 0.2
    assert json.loads(write_predictions([{"prediction": value}]))["predictions"] == [
        {"prediction": value}
    ]
