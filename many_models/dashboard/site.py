"""What the pages read from: use cases, their results, and the lake for one group's history."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from many_models.adapters.lake.group_histories import GroupHistories
from many_models.adapters.lake.tables import Lake
from many_models.adapters.results.store import ResultStore
from many_models.core.errors import UseCaseError
from many_models.core.use_case import AnyUseCase
from many_models.steps.pages.catalogue import read_catalogue, require_tables
from many_models.steps.pages.reader import Reader, open_reader
from many_models.steps.results import Results

HISTORY_BYTES = 64 << 20


class Site:
    """The use cases that are shown; may be asked by many threads at once."""

    def __init__(self, store: ResultStore, lake: Lake, *use_cases: AnyUseCase) -> None:
        self._chosen = {use_case.name: use_case for use_case in use_cases}
        self._store = store
        self._lake = lake
        self._lock = threading.Lock()
        self._results: dict[str, Results] = {}
        self._histories: dict[str, tuple[AnyUseCase, GroupHistories]] = {}

    def use_cases(self) -> dict[str, AnyUseCase]:
        """Those that were chosen, else all that the store knows."""
        return dict(self._chosen) or read_catalogue(self._store)

    @contextmanager
    def reading(self, name: str) -> Iterator[Reader]:
        """Reads the results of a use case as they are now.

        Raises:
            UseCaseError: there is none of this name.
            NotReadyError: nothing of it has been run yet.
        """
        with open_reader(self.results(name)) as reader:
            yield reader

    def results(self, name: str) -> Results:
        """The results of a use case, as they are at each question; raises as ``reading`` does."""
        found = self._found(name)
        known = self._results.get(name)
        if known is None or known.use_case != found:
            known = Results(self._store, found)
            require_tables(known)
            self._results[name] = known
        return known

    def histories(self, use_case: AnyUseCase) -> GroupHistories:
        """Rows of single groups of a use case, with the columns that it has now."""
        with self._lock:
            known = self._histories.get(use_case.name)
            if known is None or known[0] != use_case:
                known = use_case, GroupHistories(use_case, self._lake, bytes_max=HISTORY_BYTES)
                self._histories[use_case.name] = known
            return known[1]

    def _found(self, name: str) -> AnyUseCase:
        there = self.use_cases()
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise UseCaseError(f"There is no use case {name!r} here; there are: {known}.")
        return there[name]
