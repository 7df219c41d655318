"""Rows as files, batch by batch: Parquet, and CSV that spreadsheets may open.

Memory holds one batch. A spreadsheet takes a text cell that begins with ``=``, ``+``, ``-`` or
``@`` for a formula, which whoever names a group could use: such cells begin with ``'`` in CSV, as
OWASP advises. Parquet has all values as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from many_models.core.errors import StoreError

FileFormat = Literal["csv", "parquet"]
MEDIA_TYPES: Mapping[FileFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_FORMULA = "^([=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])"  # full-width signs work, too


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


def write_rows(rows: pa.RecordBatchReader, sink: BinaryIO, kind: FileFormat) -> int:
    """Write all rows to an open file; returns how many."""
    count = 0
    for count in _write(rows, sink, kind):  # noqa: B007  the last is all
        pass
    return count


def stream_rows(rows: pa.RecordBatchReader, kind: FileFormat) -> Iterator[bytes]:
    """The file's bytes as they come."""
    sink = _Pipe()
    for _ in _write(rows, sink, kind):  # type: ignore[arg-type]  # all of a file that writers need
        if found := sink.take():
            yield found
    yield sink.take()


def write_file(rows: pa.RecordBatchReader, path: Path, kind: FileFormat) -> int:
    """Write all rows to a file that appears when it is complete; returns how many rows.

    Raises:
        StoreError: the folder cannot be written.
    """
    parted = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with parted.open("xb") as sink:
            count = write_rows(rows, sink, kind)
            sink.flush()
            os.fsync(sink.fileno())
        parted.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}): name a folder that is there, "
            "with room, and that you may write to"
        ) from error
    finally:
        parted.unlink(missing_ok=True)
    return count


def _write(rows: pa.RecordBatchReader, sink: BinaryIO, kind: FileFormat) -> Iterator[int]:
    """Write batch by batch; yields how many rows there are so far, and all once it is closed."""
    opened: Mapping[FileFormat, tuple[Callable[..., _Writer], Callable[[Any], Any]]] = {
        "csv": (pyarrow.csv.CSVWriter, _for_spreadsheets),
        "parquet": (pyarrow.parquet.ParquetWriter, lambda batch: batch),
    }
    make, change = opened[kind]
    schema = change(pa.RecordBatch.from_pylist([], schema=rows.schema)).schema
    writer, count = make(sink, schema), 0
    for batch in rows:
        writer.write_batch(change(batch))
        count += batch.num_rows
        yield count
    writer.close()
    yield count


def _for_spreadsheets(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [_cells(column) for column in batch.columns], names=batch.schema.names
    )


def _cells(column: pa.Array[Any]) -> pa.Array[Any]:
    if pa.types.is_timestamp(column.type):
        text = pc.cast(pc.cast(column, pa.timestamp("us")), pa.string())
        return pc.replace_substring_regex(text, r"\.000000$", "")
    if pa.types.is_string(column.type):
        return pc.replace_substring_regex(column, _FORMULA, r"'\1")
    return column


class _Pipe:
    """A file to write to, whose bytes are taken out on the other side."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, content: bytes) -> int:
        self._parts.append(bytes(content))
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """The other side may still take what is there."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
