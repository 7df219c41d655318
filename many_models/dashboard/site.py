"""What the pages read from: use cases, their results, and the lake for one group's history."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from many_models.adapters.lake.group_histories import GroupHistories
from many_models.adapters.lake.tables import Lake
from many_models.adapters.results.store import ResultStore
from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.steps.pages.reader import Reader
from many_models.steps.results import Results

HISTORY_BYTES = 64 << 20


class Site:
    """The use cases that are shown, by name; may be asked by many threads at once."""

    def __init__(self, use_cases: Mapping[str, AnyUseCase], store: ResultStore, lake: Lake) -> None:
        self.use_cases = dict(use_cases)
        self._store = store
        self._lake = lake
        self._lock = threading.Lock()
        self._histories: dict[str, GroupHistories] = {}

    def reader(self, name: str) -> Reader:
        """Reads the results of a use case.

        Raises:
            UseCaseError: there is none of this name.
        """
        return Reader(Results(self._store, self._found(name)))

    def histories(self, name: str) -> GroupHistories:
        """Rows of single groups of a use case."""
        with self._lock:
            if name not in self._histories:
                found = self._found(name)
                histories = GroupHistories(found, self._lake, bytes_max=HISTORY_BYTES)
                self._histories[name] = histories
            return self._histories[name]

    def _found(self, name: str) -> AnyUseCase:
        if name not in self.use_cases:
            known = ", ".join(sorted(self.use_cases)) or "none"
            raise UseCaseError(f"there is no use case {name!r} here; there are: {known}")
        return self.use_cases[name]
