"""Models in memory: as many as fit into so many bytes, the least recently used go first.

Pure: what a model is, where it comes from and how large it is says whoever asks. Each is loaded
once however many ask for it at the same time, and different ones side by side: no lock is held
while anything loads. What fails to load is not tried again for some seconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

Model = TypeVar("Model")

FAILURES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Model]):
    """A model, and the bytes of memory that it takes."""

    model: Model
    size: int


@dataclass(slots=True)
class CacheCounts:
    """What a cache holds, and what became of the asking so far.

    ``shared`` counts those who waited for somebody else's load, ``oversized`` models that were not
    kept because the rest of the cache is pinned, or they alone are larger than all of it.
    """

    entries: int = 0
    bytes: int = 0
    hits: int = 0
    misses: int = 0
    shared: int = 0
    evictions: int = 0
    oversized: int = 0
    failures: int = 0
    load_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Model]):
    stamp: Hashable
    loaded: Loaded[Model]


class ModelCache(Generic[Model]):
    """At most ``bytes_max`` of models by key; each key has one model at a time.

    ``pinned`` keys are never evicted. A failure to load is remembered for ``retry_seconds``.
    """

    def __init__(
        self,
        bytes_max: int,
        *,
        pinned: Collection[str] = (),
        retry_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bytes_max = bytes_max
        self._pinned = frozenset(pinned)
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[Model]] = OrderedDict()
        self._flights: dict[tuple[str, Hashable], Future[Model]] = {}
        self._failures: OrderedDict[tuple[str, Hashable], tuple[float, Exception]] = OrderedDict()
        self._counts = CacheCounts()

    def get(self, key: str, stamp: Hashable, load: Callable[[], Loaded[Model]]) -> Model:
        """The model of ``key``, from memory if it was loaded under the same ``stamp``.

        The stamp says which of a key's models is meant, such as its version: another one replaces
        what is there. Whatever ``load`` raises passes through, to all who wait for it.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.stamp == stamp:
                self._entries.move_to_end(key)
                self._counts.hits += 1
                return entry.loaded.model
            self._raise_failure(key, stamp)
            flight = self._flights.get((key, stamp))
            if flight is not None:
                self._counts.shared += 1
            else:
                self._counts.misses += 1
                mine = self._flights[key, stamp] = Future()
        if flight is not None:
            return flight.result()
        self._load(key, stamp, load, mine)
        return mine.result()

    def counts(self) -> CacheCounts:
        """A copy of the counts at this moment."""
        with self._lock:
            found = CacheCounts(**{n: getattr(self._counts, n) for n in CacheCounts.__slots__})
            found.entries = len(self._entries)
            return found

    def _raise_failure(self, key: str, stamp: Hashable) -> None:
        until, error = self._failures.get((key, stamp), (0.0, None))
        if error is None:
            return
        if self._clock() < until:
            raise error.with_traceback(None)
        del self._failures[key, stamp]

    def _load(
        self, key: str, stamp: Hashable, load: Callable[[], Loaded[Model]], flight: Future[Model]
    ) -> None:
        started = time.perf_counter()
        try:
            loaded = load()
        except BaseException as error:
            with self._lock:
                del self._flights[key, stamp]
                self._counts.failures += 1
                if isinstance(error, Exception):
                    self._failures[key, stamp] = (self._clock() + self._retry_seconds, error)
                if len(self._failures) > FAILURES_KEPT:
                    self._failures.popitem(last=False)
            flight.set_exception(error)
            return
        with self._lock:
            del self._flights[key, stamp]
            self._counts.load_seconds += time.perf_counter() - started
            self._remove(key)
            if self._make_room(loaded.size):
                self._entries[key] = _Entry(stamp, loaded)
                self._counts.bytes += loaded.size
            else:
                self._counts.oversized += 1
        flight.set_result(loaded.model)

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._counts.bytes -= entry.loaded.size

    def _make_room(self, size: int) -> bool:
        """Evict until ``size`` more bytes fit; False, and nobody evicted, where they cannot."""
        goal = self.bytes_max - size
        if goal >= self._counts.bytes:
            return True
        left, gone = self._counts.bytes, []
        for key, entry in self._entries.items():
            if key not in self._pinned:
                left -= entry.loaded.size
                gone.append(key)
            if left <= goal:
                break
        if left > goal:
            return False
        for key in gone:
            self._remove(key)
        self._counts.evictions += len(gone)
        return True
