"""The bodies of requests for predictions, as MLflow's scoring servers take them.

Pure: bytes in, columns out. ``dataframe_split``, ``dataframe_records``, and ``inputs`` or
``instances`` as columns by name or as records.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from many_models.core.errors import RequestError
from many_models.core.online import Columns, count_rows

FORMATS = ("dataframe_split", "dataframe_records", "inputs", "instances")

REQUEST_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": f"Rows in exactly one of {', '.join(FORMATS)}; times as ISO 8601 text.",
    "properties": {
        "dataframe_split": {
            "type": "object",
            "required": ["columns", "data"],
            "properties": {
                "columns": {"type": "array", "items": {"type": "string"}},
                "data": {"type": "array", "items": {"type": "array"}},
                "index": {"type": "array"},
            },
        },
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
        "inputs": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
        "instances": {"type": "array", "items": {"type": "object"}},
        "params": {"type": ["object", "null"], "maxProperties": 0},
    },
    "minProperties": 1,
}


def read_columns(body: bytes, rows_max: int) -> Columns:
    """Columns of a request's rows.

    Raises:
        RequestError: it is no JSON, none of the formats, or has no row, or more than ``rows_max``.
    """
    columns = _read(_parse(body))
    count = count_rows(columns)
    if count == 0:
        raise RequestError("the request has no rows")
    if count > rows_max:
        raise RequestError(f"the request has {count} rows; send at most {rows_max} at once")
    return columns


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise RequestError(f"the body must be a JSON object with one of {', '.join(FORMATS)}")
    return found


def _read(body: Mapping[str, Any]) -> Columns:
    given = [name for name in FORMATS if name in body]
    if len(given) != 1:
        raise RequestError(f"give exactly one of {', '.join(FORMATS)}, not {given or 'none'}")
    if unknown := body.keys() - {*given, "params"}:
        raise RequestError(f"{sorted(unknown)[0]!r} is unknown beside {given[0]}")
    if body.get("params") not in (None, {}):
        raise RequestError(f"params {reprlib.repr(body['params'])} are unknown; there are none")
    return _READERS[given[0]](body[given[0]], given[0])


def _read_split(value: Any, name: str) -> Columns:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys():
        raise RequestError(f"{name} must be an object with columns and data")
    columns, data = value["columns"], value["data"]
    if not isinstance(columns, list) or not all(isinstance(c, str) for c in columns):
        raise RequestError(f"{name}.columns must be a list of texts")
    if len(set(columns)) < len(columns):
        raise RequestError(f"{name}.columns names a column twice: {columns}")
    if not isinstance(data, list):
        raise RequestError(f"{name}.data must be a list of rows")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise RequestError(f"row {number} of {name}.data must be a list of {len(columns)}")
    return dict(zip(columns, zip(*data, strict=True), strict=True)) if data else {}


def _read_records(value: Any, name: str) -> Columns:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise RequestError(f"{name} must be a list of objects, one a row")
    names = dict.fromkeys(column for row in value for column in row)
    return {column: [row.get(column) for row in value] for column in names}


def _read_inputs(value: Any, name: str) -> Columns:
    if not isinstance(value, dict):
        return _read_records(value, name)
    if not all(isinstance(column, list) for column in value.values()):
        raise RequestError(f"{name} must hold a list for each column")
    if len({len(column) for column in value.values()}) > 1:
        raise RequestError(f"the columns of {name} have different lengths")
    return value


_READERS: Mapping[str, Callable[[Any, str], Columns]] = {
    "dataframe_split": _read_split,
    "dataframe_records": _read_records,
    "inputs": _read_inputs,
    "instances": _read_inputs,
}

Records = Sequence[Mapping[str, Any]]


def write_predictions(records: Records) -> bytes:
    """The answer as MLflow's clients read it; each float as the shortest text that means it."""
    return json.dumps({"predictions": records}, allow_nan=False).encode()
