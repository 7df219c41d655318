"""Thousands of models in one HTTP request, and what became of them: the format, both ways.

Two Arrow IPC streams: ``SCHEMA`` with a JSON header in its metadata goes to a server, ``OUTCOMES``
comes back, one row a model in the same order. Knows neither HTTP nor MLflow. What comes from a
client is checked here to its last byte, and is never unpickled: a server that loaded payloads would
run whatever its clients send.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from many_models.adapters.registry.model_artifact import (
    DESCRIPTION_FILE,
    ENVIRONMENT_FILES,
    EXPLANATION_FILE,
)
from many_models.core.registration import LOCATION_TAG, REPLACES_TAG, ModelRecord, ModelVersion
from many_models.core.registration import RegistrationFailure as Failure

FORMAT = 2
"""To be raised when an older server could not read what a newer client sends, or the reverse."""

PATH = "/api/2.0/many-models/registrations"
"""Where a server takes such streams (POST), and says whether it does (GET)."""

CONTENT_TYPE = "application/vnd.apache.arrow.stream"

_TEXTS = pa.map_(pa.string(), pa.string())
SCHEMA = pa.schema(
    {
        "name": pa.string(),
        "payload": pa.large_binary(),
        "metrics": pa.map_(pa.string(), pa.float64()),
        "params": _TEXTS,
        "tags": _TEXTS,
        "key_tags": pa.list_(pa.string()),
        # JSON: the texts of MLmodel and the environment's files by name. Alike for many models.
        "files": pa.dictionary(pa.int32(), pa.string()),
        # The text of the model's own file explanation.json, empty where it has none.
        "explanation": pa.string(),
    }
)
OUTCOMES = pa.schema(
    {
        "name": pa.string(),
        "version": pa.int64(),
        "run_id": pa.string(),
        "location": pa.string(),
        "tags": _TEXTS,
        "error": pa.string(),
    }
)
"""``tags`` are those that the registry added. Of a model that was refused, ``error`` says why, and
all else but the name is null."""

_HEADER = b"many_models"
_ADDED = (LOCATION_TAG, REPLACES_TAG)
_END = b"\xff\xff\xff\xff\0\0\0\0"  # without it, who says that no batch is missing?


class StreamError(ValueError):
    """Bytes that are no such stream, or one that cannot be registered as a whole."""


@dataclass(frozen=True, slots=True)
class Header:
    """What goes for all models of one request.

    ``source_tags`` say who registers from what, as MLflow puts them on every run.
    """

    alias: str | None
    source_tags: Mapping[str, str]


def write_records(records: Sequence[ModelRecord], files: Sequence[str], header: Header) -> bytes:
    """A stream of ``records``; ``files`` holds the JSON text of each one's descriptive files."""
    columns = {
        "name": [record.name for record in records],
        "payload": [record.payload for record in records],
        "metrics": [list(record.metrics.items()) for record in records],
        "params": [list(record.params.items()) for record in records],
        "tags": [list(record.tags.items()) for record in records],
        "key_tags": [list(record.key_tags) for record in records],
        "explanation": [record.files.get(EXPLANATION_FILE, b"").decode() for record in records],
    }
    encoded = pa.array(files, pa.string()).dictionary_encode()
    arrays = [pa.array(columns[f.name], f.type) if f.name in columns else encoded for f in SCHEMA]
    text = json.dumps({"format": FORMAT, **asdict(header)})
    return _write(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA.with_metadata({_HEADER: text})))


def describe_files(files: Mapping[str, bytes]) -> str:
    """JSON text of the descriptive files of a model, for ``write_records``."""
    return json.dumps({name: content.decode() for name, content in files.items()})


def read_records(stream: bytes, bytes_max: int) -> tuple[Header, list[ModelRecord]]:
    """The header and all records of a stream; ``bytes_max`` bounds what it may unpack to.

    Raises:
        StreamError: saying what is wrong with it.
    """
    if not stream.endswith(_END):
        raise StreamError("this is no complete Arrow IPC stream: its end is missing")
    try:
        with pa.ipc.open_stream(stream) as reader:
            header = _read_header(reader.schema)
            batches = []
            for batch in reader:
                batch.validate(full=True)
                batches.append(batch)
                if sum(b.nbytes for b in batches) > bytes_max:
                    raise StreamError(f"the stream unpacks to more than {bytes_max} bytes")
    except (pa.ArrowException, OSError) as error:
        raise StreamError(f"this is no complete Arrow IPC stream: {error}") from error
    files: dict[str, dict[str, bytes]] = {}
    return header, [_read_record(row, files) for batch in batches for row in batch.to_pylist()]


def write_outcomes(outcomes: Sequence[ModelVersion | Failure]) -> bytes:
    """A stream of what became of each model."""
    return _write(pa.RecordBatch.from_pylist([_outcome_row(o) for o in outcomes], OUTCOMES))


def read_outcomes(stream: bytes, records: Sequence[ModelRecord]) -> list[ModelVersion | Failure]:
    """What became of each of ``records``, as a server has it.

    Raises:
        StreamError: when the answer is not about these records.
    """
    try:
        with pa.ipc.open_stream(stream) as reader:
            rows = reader.read_all().select(OUTCOMES.names).to_pylist()
    except (pa.ArrowException, KeyError, OSError) as error:
        raise StreamError(f"the server's answer cannot be read: {error}") from error
    if [row["name"] for row in rows] != [record.name for record in records]:
        raise StreamError("the server's answer is about other models")
    return [_read_outcome(row, record) for row, record in zip(rows, records, strict=True)]


def _outcome_row(outcome: ModelVersion | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {"name": outcome.name, "error": outcome.error}
    return {
        "name": outcome.name,
        "version": outcome.version,
        "run_id": outcome.run_id,
        "location": outcome.location,
        "tags": [(key, outcome.tags[key]) for key in _ADDED if key in outcome.tags],
    }


def _read_outcome(row: Mapping[str, Any], record: ModelRecord) -> ModelVersion | Failure:
    if row["error"] is not None:
        return Failure(record.name, row["error"])
    tags = {**record.version_tags(), **dict(row["tags"])}
    return ModelVersion(record.name, row["version"], row["run_id"], row["location"], tags)


def _write(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _read_header(schema: pa.Schema) -> Header:
    if not schema.equals(SCHEMA):
        fields = ", ".join(f"{field.name}: {field.type}" for field in SCHEMA)
        raise StreamError(f"the columns are not these: {fields}")
    try:
        header = json.loads((schema.metadata or {})[_HEADER])
        number, alias, source_tags = header["format"], header["alias"], header["source_tags"]
    except (KeyError, TypeError, ValueError) as error:
        raise StreamError(f"the metadata {_HEADER.decode()!r} is missing or wrong") from error
    if number != FORMAT:
        raise StreamError(f"format {number} is not known here, only {FORMAT}")
    if not isinstance(alias, str | None) or not _are_texts(source_tags):
        raise StreamError("alias or source_tags in the metadata are not texts")
    return Header(alias, source_tags)


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _read_record(row: Mapping[str, Any], files: dict[str, dict[str, bytes]]) -> ModelRecord:
    lists = (row["metrics"], row["params"], row["tags"], row["key_tags"])
    if None in (*row.values(),) or any(
        value is None or (isinstance(value, tuple) and value[1] is None)
        for values in lists
        for value in values
    ):
        raise StreamError(f"model {row['name']!r} has a null")
    if not row["payload"]:
        raise StreamError(f"model {row['name']!r} has no payload")
    text = row["files"]
    if text not in files:
        files[text] = _read_files(text, row["name"])
    own = {EXPLANATION_FILE: row["explanation"].encode()} if row["explanation"] else {}
    return ModelRecord(
        name=row["name"],
        payload=row["payload"],
        metrics=dict(row["metrics"]),
        params=dict(row["params"]),
        tags=dict(row["tags"]),
        key_tags=tuple(row["key_tags"]),
        files=files[text] | own,
    )


def _read_files(text: str, name: str) -> dict[str, bytes]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    allowed = {DESCRIPTION_FILE, *ENVIRONMENT_FILES}
    if not _are_texts(found) or DESCRIPTION_FILE not in found or not found.keys() <= allowed:
        raise StreamError(
            f"the files of model {name!r} are no JSON object of texts with {DESCRIPTION_FILE} and, "
            f"as need be, {', '.join(ENVIRONMENT_FILES)}"
        )
    return {file: content.encode() for file, content in found.items()}
