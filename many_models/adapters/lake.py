"""Tables of the data lake: Delta Lake through delta-rs, without a JVM.

A table changes by whole partitions and in one atomic commit; files are staged beside the data first and
stay invisible until then. What the columns mean is up to the caller.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector

from many_models.adapters.arrow_files import delete_folder, open_filesystem
from many_models.core.errors import LakeError

STAGED_FOLDER = "staged-"
COMMIT_TRIES = 5


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One data file: path within the table, size in bytes, rows, and its partition columns' values."""

    path: str
    size: int
    rows: int
    partition: Mapping[str, str]


@dataclass(frozen=True)
class LakeTable:
    """One Delta table at ``uri`` (a path or an object store's URL), partitioned by text columns."""

    uri: str
    schema: pa.Schema
    partition_by: tuple[str, ...]

    def exists(self) -> bool:
        return bool(DeltaTable.is_deltatable(self.uri))

    def version(self) -> int:
        """Version of the latest commit."""
        return int(self._open().version())

    def replace(self, partition: str, batches: pa.RecordBatchReader, run_id: str) -> int:
        """Replace one partition (of the only partition column) by ``batches`` in one commit.

        The batches lack the partition column. Returns the number of rows written.
        """
        (column,) = self.partition_by
        self._create_if_missing()
        incoming = _Incoming(batches, column, partition, self.schema)
        literal = partition.replace("'", "''")
        try:
            write_deltalake(
                self.uri,
                pa.RecordBatchReader.from_batches(self.schema, incoming),
                mode="overwrite",
                predicate=f"{column} = '{literal}'",
                commit_properties=CommitProperties(custom_metadata={"run_id": run_id}),
            )
        except DeltaError as error:
            if incoming.failure is not None:  # delta-rs passes on no more than its traceback
                raise incoming.failure from None
            raise LakeError(f"writing {self.uri} failed: {error}") from error
        return incoming.rows

    def new_stage(self) -> str:
        """Folder within the table for files that no reader sees before ``commit``."""
        return f"{STAGED_FOLDER}{uuid.uuid4().hex}"

    def commit(self, files: Iterable[LakeFile], *, replace: Sequence[str], run_id: str) -> int:
        """Make staged files the whole content of the partitions in ``replace``, in one commit.

        ``replace`` holds values of the first partition column. Returns the table's new version.
        """
        self._create_if_missing()
        now = int(time.time() * 1000)
        actions = [
            AddAction(
                f.path, f.size, dict(f.partition), now, True, json.dumps({"numRecords": f.rows})
            )
            for f in files
        ]
        self._open().create_write_transaction(
            actions,
            mode="overwrite",
            schema=self.schema,
            partition_by=list(self.partition_by),
            partition_filters=[(self.partition_by[0], "in", list(replace))],
            commit_properties=CommitProperties(
                custom_metadata={"run_id": run_id}, max_commit_retries=COMMIT_TRIES
            ),
        )
        return self.version()

    def files(self, partitions: Sequence[str] | None = None) -> list[LakeFile]:
        """Files of the latest version; of the given values of the first partition column only."""
        wanted = None if partitions is None else set(partitions)
        first = self.partition_by[0]
        actions = pa.table(self._open().get_add_actions(flatten=True)).to_pylist()
        found = [
            LakeFile(
                path=unquote(action["path"]),
                size=action["size_bytes"],
                rows=action["num_records"],
                partition={name: str(action[f"partition.{name}"]) for name in self.partition_by},
            )
            for action in actions
        ]
        return [f for f in found if wanted is None or f.partition[first] in wanted]

    def locate(self, file: LakeFile) -> str:
        """Full path or URL of a file."""
        return self.locate_path(file.path)

    def locate_path(self, path: str) -> str:
        """Full path or URL of a path within the table."""
        return f"{self.uri.rstrip('/')}/{path}"

    def dataset(self, partitions: Sequence[str] | None = None) -> ds.Dataset:
        """Rows of the latest version, for scanning with a filter and a choice of columns."""
        dataset = self._open().to_pyarrow_dataset()
        if partitions is None:
            return dataset
        return dataset.filter(ds.field(self.partition_by[0]).isin(list(partitions)))

    def staged_files(self, stage: str) -> list[tuple[str, int]]:
        """Parquet files below a stage: path within the table, and size in bytes."""
        filesystem, root = open_filesystem(self.uri)
        found = filesystem.get_file_info(FileSelector(f"{root}/{stage}", recursive=True))
        return [
            (info.path[len(root) + 1 :], info.size)
            for info in found
            if info.is_file and info.path.endswith(".parquet")
        ]

    def delete_stage(self, stage: str) -> None:
        """Remove a stage whose files were not committed."""
        delete_folder(self.locate_path(stage))

    def _create_if_missing(self) -> None:
        if not self.exists():
            DeltaTable.create(
                self.uri, self.schema, mode="ignore", partition_by=list(self.partition_by)
            )

    def _open(self) -> DeltaTable:
        try:
            return DeltaTable(self.uri)
        except TableNotFoundError as error:
            asset = self.uri.rstrip("/").rsplit("/", 1)[-1]
            raise LakeError(f"lake table {self.uri} does not exist; materialize {asset}") from error
        except DeltaError as error:
            raise LakeError(f"lake table {self.uri} cannot be read: {error}") from error


class _Incoming:
    """Batches on their way into one partition: completed, counted, and their failure kept."""

    def __init__(
        self, batches: pa.RecordBatchReader, column: str, value: str, schema: pa.Schema
    ) -> None:
        self.rows = 0
        self.failure: Exception | None = None
        self._batches, self._column, self._value, self._schema = batches, column, value, schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                yield self._complete(batch)
        except Exception as error:
            self.failure = error
            raise

    def _complete(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        added = pa.repeat(pa.scalar(self._value), batch.num_rows)
        columns = [added if name == self._column else batch[name] for name in self._schema.names]
        return pa.record_batch(columns, schema=self._schema)
