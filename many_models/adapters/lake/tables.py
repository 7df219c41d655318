"""Where a use case's tables lie in the lake."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from many_models.adapters.lake.delta_table import LakeTable
from many_models.adapters.lake.run_folders import RunFolder, run_folder
from many_models.core.lake_schema import SHARD_COLUMNS, WINDOW, grouped_schema, raw_schema
from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True)
class Lake:
    """All tables below ``root``: a folder, or an object store's URL that Spark reaches too."""

    root: str

    def raw_data(self, use_case: AnyUseCase) -> LakeTable:
        return LakeTable(self._uri(use_case, "raw_data"), raw_schema(use_case), (WINDOW,))

    def grouped_datasets(self, use_case: AnyUseCase) -> LakeTable:
        uri = self._uri(use_case, "grouped_datasets")
        return LakeTable(uri, grouped_schema(use_case), SHARD_COLUMNS)

    def scratch(self, use_case: AnyUseCase, step: str) -> AbstractContextManager[RunFolder]:
        """Folder for what the driver and Spark's tasks hand to each other during one step."""
        return run_folder(self._uri(use_case, "scratch"), step)

    def _uri(self, use_case: AnyUseCase, name: str) -> str:
        return f"{self.root.rstrip('/')}/{use_case.name}/{name}"
