from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from many_models.adapters.registry.registration_stream import (
    Header,
    StreamError,
    describe_files,
    read_outcomes,
    read_records,
    write_outcomes,
    write_records,
)
from many_models.core.registration import ModelVersion, RegistrationFailure
from many_models_tests.fakes_models import constant_record

FILES = {"MLmodel": b"flavors: {}\n", "requirements.txt": "café\n".encode()}
RECORDS = [
    replace(constant_record("bread 🍞", 4.0), files=FILES, metrics={"mase": math.inf, "bad": 0.25}),
    replace(
        constant_record("butter", 5.0),
        files={**FILES, "explanation.json": b'{"effects": []}'},
        params={},
        key_tags=(),
    ),
]
HEADER = Header("champion", {"mlflow.user": "me"})
LIMIT = 1 << 20


def write(header: Header = HEADER) -> bytes:
    return write_records(RECORDS, [describe_files(FILES)] * len(RECORDS), header)


@pytest.mark.parametrize("alias", ["champion", None])
def test_records_come_back_as_they_were_sent(alias: str | None) -> None:
    header, records = read_records(write(replace(HEADER, alias=alias)), LIMIT)

    assert records == RECORDS
    assert header == replace(HEADER, alias=alias)


def test_files_that_are_alike_are_sent_once() -> None:
    many = write_records(RECORDS * 50, [describe_files(FILES)] * 100, HEADER)
    assert many.count(b"requirements.txt") == 1


@pytest.mark.parametrize("length", [0, 1, 10, 200, -8, -300])
def test_bytes_that_are_no_whole_stream_are_refused(length: int) -> None:
    whole = write()
    with pytest.raises(StreamError):
        read_records(whole[:length] if length else b"junk" * 100, LIMIT)
    with pytest.raises(StreamError):
        read_records(b"junk" + whole[4:], LIMIT)


def _with(**changes: Any) -> Callable[[], bytes]:
    """The stream of ``RECORDS`` with other columns, types or metadata."""

    def change() -> bytes:
        with pa.ipc.open_stream(write()) as reader:
            table = reader.read_all()
        metadata = changes.pop("metadata", table.schema.metadata)
        for name, array in changes.items():
            table = table.set_column(table.schema.get_field_index(name), name, array)
        sink = pa.BufferOutputStream()
        table = table.replace_schema_metadata(metadata)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue().to_pybytes())

    return change


def _files(text: str) -> pa.Array:
    return pa.array([text, text]).dictionary_encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_with(name=pa.array([1, 2])), "columns are not these"),
        (_with(payload=pa.array([b"x", b""], pa.large_binary())), "no payload"),
        (_with(name=pa.array(["a", None])), "null"),
        (_with(params=pa.array([[], [("a", None)]], pa.map_(pa.string(), pa.string()))), "null"),
        (_with(key_tags=pa.array([[], [None]], pa.list_(pa.string()))), "null"),
        (_with(files=_files("{}")), "MLmodel"),
        (_with(files=_files("no json")), "MLmodel"),
        (_with(files=_files('{"MLmodel": 1}')), "MLmodel"),
        (_with(files=_files('{"MLmodel": "", "../../evil": ""}')), "MLmodel"),
        (_with(metadata={}), "metadata"),
        (_with(metadata={"many_models": "[]"}), "metadata"),
        (
            _with(metadata={"many_models": '{"format": 99, "alias": null, "source_tags": {}}'}),
            "format 99",
        ),
        (
            _with(metadata={"many_models": '{"format": 2, "alias": 1, "source_tags": {}}'}),
            "not texts",
        ),
    ],
)
def test_what_cannot_be_registered_is_refused(change: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(StreamError, match=reason):
        read_records(change(), LIMIT)


def test_a_small_stream_may_not_unpack_to_a_large_one() -> None:
    with pa.ipc.open_stream(write()) as reader:
        batch = reader.read_next_batch()
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        for _ in range(100):
            writer.write_batch(batch)

    with pytest.raises(StreamError, match="unpacks to more"):
        read_records(sink.getvalue().to_pybytes(), 2 * batch.nbytes)


def test_outcomes_come_back_in_order_with_the_tags_of_the_records() -> None:
    refused = RegistrationFailure("butter", "no room")
    added = {"artifact_location": "pack+file:///a.pack/8", "replaces": "2"}
    tags = {**RECORDS[0].version_tags(), **added}
    version = ModelVersion("bread 🍞", 3, "run", "pack+file:///a.pack/8", tags)

    first, second = read_outcomes(write_outcomes([version, refused]), RECORDS)

    assert first == version
    assert second == refused


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        write_outcomes([]),
        write_outcomes([RegistrationFailure(name, "") for name in ("butter", "bread 🍞")]),
    ],
)
def test_an_answer_about_other_models_is_refused(answer: bytes) -> None:
    with pytest.raises(StreamError, match="server's answer"):
        read_outcomes(answer, RECORDS)
