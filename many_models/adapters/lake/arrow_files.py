"""Parquet files on local disks and object stores, addressed by path or URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSystem, FileType, LocalFileSystem


def open_filesystem(uri: str) -> tuple[FileSystem, str]:
    """File system of a path or URL, and the path within it."""
    if "://" in uri:
        found: tuple[FileSystem, str] = FileSystem.from_uri(uri)
        return found
    return LocalFileSystem(), uri.rstrip("/")


def read_parquet(uri: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of one file, with all of its columns or some."""
    filesystem, path = open_filesystem(uri)
    with filesystem.open_input_file(path) as file:
        return pq.ParquetFile(file).read(columns)


def write_parquet(rows: pa.Table | pa.RecordBatchReader, uri: str) -> int:
    """Write one file, batch by batch; returns its size in bytes."""
    filesystem, path = open_filesystem(uri)
    filesystem.create_dir(path.rsplit("/", 1)[0], recursive=True)
    batches = rows.to_batches() if isinstance(rows, pa.Table) else rows
    with (
        filesystem.open_output_stream(path) as file,
        pq.ParquetWriter(file, rows.schema, compression="zstd") as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
    return int(filesystem.get_file_info(path).size)


def stream_parquet(uris: Sequence[str], schema: pa.Schema) -> pa.RecordBatchReader:
    """Rows of the files, one after the other, with the columns of ``schema`` only."""

    def batches() -> Iterator[pa.RecordBatch]:
        for uri in uris:
            filesystem, path = open_filesystem(uri)
            with filesystem.open_input_file(path) as file:
                for batch in pq.ParquetFile(file).iter_batches(columns=schema.names):
                    yield batch.select(schema.names).cast(schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def delete_folder(path: str, filesystem: FileSystem) -> None:
    """Remove a folder with all it holds, if it is there."""
    if filesystem.get_file_info(path).type != FileType.NotFound:
        filesystem.delete_dir(path)
