"""Tables of the data lake: Delta Lake through delta-rs, without a JVM.

A table changes by whole partitions and in one atomic commit; files are staged beside the data first
and stay invisible until then. What the columns mean is up to the caller.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector

from many_models.adapters.lake.arrow_files import open_filesystem, write_parquet
from many_models.adapters.lake.run_folders import run_folder
from many_models.core.errors import LakeError

STAGED = "staged"
COMMIT_TRIES = 20


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One data file: path within the table, size in bytes, rows, its partition columns' values.

    ``nulls`` counts the nulls of each column; a column that the file lacks is not in it, and a file
    that was committed without counts has none.
    """

    path: str
    size: int
    rows: int
    partition: Mapping[str, str]
    nulls: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """One version of a table and its files, of all partitions or of those asked for."""

    version: int
    files: list[LakeFile]


@dataclass(frozen=True)
class LakeTable:
    """One Delta table at ``uri`` (a path or an object store's URL), partitioned by text columns."""

    uri: str
    schema: pa.Schema
    partition_by: tuple[str, ...]

    def replace_files(
        self,
        partitions: Sequence[str],
        write: Callable[[str], Sequence[LakeFile]],
        run_id: str,
    ) -> list[LakeFile]:
        """Make what ``write`` stages the whole content of these partitions, in one commit.

        ``partitions`` are values of the first partition column. ``write`` is given a folder within
        the table, which it makes, and returns the files that it left there. Whatever it raises
        passes through, and the table stays as it was.

        Raises:
            LakeError: the table holds columns of other types, or the commit failed.
        """
        self._prepare()
        with run_folder(self.uri, STAGED, self._holds) as stage:
            files = list(write(stage.name))
            self._commit(files, partitions, run_id)
            stage.kept = bool(files)
        return files

    def replace(self, partition: str, rows: pa.RecordBatchReader, run_id: str) -> int:
        """Replace one partition (of the only partition column) by ``rows``; returns their number.

        The rows lack the partition column.
        """
        (column,) = self.partition_by
        counted = _Counted(rows)

        def write(stage: str) -> list[LakeFile]:
            path = f"{stage}/rows.parquet"
            stream = pa.RecordBatchReader.from_batches(rows.schema, iter(counted))
            size = write_parquet(stream, self.locate(path))
            if not counted.rows:
                return []
            return [LakeFile(path, size, counted.rows, {column: partition}, counted.nulls)]

        self.replace_files([partition], write, run_id)
        return counted.rows

    def snapshot(self, partitions: Sequence[str] | None = None) -> Snapshot:
        """The latest version; ``partitions`` are values of the first partition column."""
        table = self._open()
        wanted = None if partitions is None else set(partitions)
        first = self.partition_by[0]
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        files = [self._file(action) for action in actions]
        asked = [f for f in files if wanted is None or f.partition[first] in wanted]
        return Snapshot(int(table.version()), asked)

    def locate(self, path: str) -> str:
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

    def _file(self, action: dict[str, object]) -> LakeFile:
        nulls = {name: action.get(f"null_count.{name}") for name in self.schema.names}
        return LakeFile(
            path=str(action["path"]),
            size=int(str(action["size_bytes"])),
            rows=int(str(action["num_records"])),
            partition={name: str(action[f"partition.{name}"]) for name in self.partition_by},
            nulls={name: int(str(count)) for name, count in nulls.items() if count is not None},
        )

    def _holds(self, stage: str) -> bool:
        return any(file.path.startswith(f"{stage}/") for file in self.snapshot().files)

    def _prepare(self) -> None:
        """Make the table where there is none; refuse one whose columns have other types."""
        if not DeltaTable.is_deltatable(self.uri):
            columns = list(self.partition_by)
            DeltaTable.create(self.uri, self.schema, mode="ignore", partition_by=columns)
            return
        for found in pa.schema(self._open().schema()):
            place = self.schema.get_field_index(found.name)
            if place >= 0 and self.schema.field(place).type != found.type:
                raise LakeError(
                    f"column {found.name} of lake table {self.uri} is {found.type}, and the use "
                    f"case now makes it {self.schema.field(place).type}; delete the table's folder "
                    "and materialize it anew"
                )

    def _commit(self, files: Sequence[LakeFile], partitions: Sequence[str], run_id: str) -> None:
        actions = [_add_action(file) for file in files]
        for tries_left in reversed(range(COMMIT_TRIES)):
            try:
                self._open().create_write_transaction(
                    list(actions),
                    mode="overwrite",
                    schema=self.schema,
                    partition_by=list(self.partition_by),
                    partition_filters=[(self.partition_by[0], "in", list(partitions))],
                    commit_properties=CommitProperties(custom_metadata={"run_id": run_id}),
                )
                return
            except CommitFailedError as error:
                # delta-rs takes any two overwrites for conflicting, also of different partitions.
                if not tries_left:
                    raise LakeError(
                        f"{self.uri} is written by too many at once: {error}"
                    ) from error
            except DeltaError as error:
                raise LakeError(f"writing {self.uri} failed: {error}") from error

    def _open(self) -> DeltaTable:
        try:
            return DeltaTable(self.uri)
        except TableNotFoundError as error:
            asset = self.uri.rstrip("/").rsplit("/", 1)[-1]
            raise LakeError(f"lake table {self.uri} does not exist; materialize {asset}") from error
        except DeltaError as error:
            raise LakeError(f"lake table {self.uri} cannot be read: {error}") from error


def _add_action(file: LakeFile) -> AddAction:
    stats: dict[str, object] = {"numRecords": file.rows}
    if file.nulls:
        stats["nullCount"] = dict(file.nulls)
    now = int(time.time() * 1000)
    return AddAction(file.path, file.size, dict(file.partition), now, True, json.dumps(stats))


class _Counted:
    """Batches on their way into a file, with what a reader of the table wants to know of them."""

    def __init__(self, batches: pa.RecordBatchReader) -> None:
        self.rows = 0
        self.nulls = dict.fromkeys(batches.schema.names, 0)
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                self.nulls[name] += column.null_count
            yield batch
