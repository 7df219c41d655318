"""The rows of single groups in the grouped datasets, for whoever scores one at a time.

A shard is sorted by key and holds a hundred groups or so: it is read once, and kept as memory
allows. A new commit is noticed within seconds. While the lake is away, what was read before stays
in use.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.delta_table import LakeTable
from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError
from many_models.core.lake_schema import raw_columns
from many_models.core.model_cache import Loaded, ModelCache
from many_models.core.online import GroupHistory
from many_models.core.use_case import AnyUseCase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Files:
    """Paths of the shards by partition, and the last time that any of them was made from."""

    paths: dict[str, list[str]]
    data_through: np.datetime64


class GroupHistories:
    """Rows of the groups of ``use_case`` in ``lake``; at most ``bytes_max`` are kept."""

    def __init__(
        self,
        use_case: AnyUseCase,
        lake: Lake,
        *,
        bytes_max: int = 64 << 20,
        refresh_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._use_case = use_case
        self._table: LakeTable = lake.grouped_datasets(use_case)
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._files: _Files | None = None
        self._failure = ""
        self._shards: ModelCache[pa.Table] = ModelCache(bytes_max, clock=clock)

    def of(self, key: tuple[str, ...], partition: str) -> GroupHistory:
        """All rows of the group ``key``, none where the lake has none.

        Raises:
            LakeError: the grouped datasets cannot be read.
        """
        files = self._current_files()
        nothing = raw_columns(self._use_case).empty_table()
        for path in files.paths.get(partition, ()):
            rows = _rows_of(self._shard(path), self._use_case.keys, key)
            if len(rows):
                return GroupHistory(rows, files.data_through)
        return GroupHistory(nothing, files.data_through)

    def _current_files(self) -> _Files:
        with self._lock:
            now = self._clock()
            if self._looked is None or now - self._looked > self._refresh_seconds:
                self._looked = now
                try:
                    self._files = self._list_files()
                except (LakeError, OSError) as error:
                    logger.warning("the lake cannot be read: %s", error)
                    self._failure = str(error)
            if self._files is None:
                raise LakeError(self._failure)
            return self._files

    def _list_files(self) -> _Files:
        snapshot = self._table.snapshot()
        if not snapshot.files:
            raise LakeError(f"{self._table.uri} is empty; materialize grouped_datasets")
        paths: dict[str, list[str]] = {}
        for file in snapshot.files:
            paths.setdefault(file.partition["partition"], []).append(self._table.locate(file.path))
        through = max(np.datetime64(file.partition["data_through"]) for file in snapshot.files)
        return _Files(paths, through)

    def _shard(self, path: str) -> pa.Table:
        names = raw_columns(self._use_case).names

        def load() -> Loaded[pa.Table]:
            try:
                found = read_parquet(path, names)
            except OSError as error:
                raise LakeError(f"{path} cannot be read ({error}); look at the lake") from error
            if lacking := [name for name in names if name not in found.column_names]:
                raise LakeError(
                    f"{path} lacks {', '.join(lacking)}, which the use case has had since; "
                    "materialize grouped_datasets"
                )
            return Loaded(found, found.nbytes)

        return self._shards.get(path, None, load)


def _rows_of(shard: pa.Table, columns: tuple[str, ...], key: tuple[str, ...]) -> pa.Table:
    same = pc.equal(shard[columns[0]], key[0])
    for name, value in zip(columns[1:], key[1:], strict=True):
        same = pc.and_(same, pc.equal(shard[name], value))
    return shard.filter(same)
