"""The service of one use case: what ``adapters.serving`` asks, answered by the online scorer."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from many_models.adapters.serving.exposition import Figure
from many_models.core.champion_index import ChampionIndex, IndexedChampion
from many_models.core.errors import UseCaseError
from many_models.core.keys import group_key, parse_group_key
from many_models.core.online import Columns, Scored
from many_models.steps.online import OnlineScorer

logger = logging.getLogger(__name__)


class OnlineService:
    """Serves what ``scorer`` scores; the models of ``warm`` keys are loaded before it starts.

    ``stale_seconds`` is the age from which on the list of champions is called stale.
    """

    def __init__(
        self, scorer: OnlineScorer, *, warm: Sequence[str] = (), stale_seconds: float = 30.0
    ) -> None:
        self._scorer = scorer
        self._warm = warm
        self._stale_seconds = stale_seconds
        self._listed: tuple[ChampionIndex, list[str]] = (ChampionIndex(), [])

    def start(self) -> None:
        """Read the champions, and load those that are to be warm, if the registry answers."""
        self._scorer.book.start()
        if self._scorer.book.status().seen_at is None:
            return
        keys = self._scorer.use_case.keys
        count = self._scorer.warm_up([parse_group_key(key, keys) for key in self._warm])
        if self._warm:
            logger.info("%d / %d models are loaded", count, len(self._warm))

    def stop(self) -> None:
        """Follow the registry no longer."""
        self._scorer.book.stop()

    def score(self, columns: Columns) -> Scored:
        """Predictions of a request's rows; as ``OnlineScorer.score``."""
        return self._scorer.score(columns)

    def list_models(self, start: int, limit: int, partition: str | None) -> Mapping[str, Any]:
        """Champions of groups, sorted by key: ``limit`` from the place ``start`` on."""
        index = self._scorer.book.index
        if self._listed[0] is not index:
            self._listed = index, sorted(index.by_key)
        keys = self._listed[1]
        if partition is not None:
            keys = [key for key in keys if index.by_key[key].partition == partition]
        page = [_described(index.by_key[key]) for key in keys[start : start + limit]]
        pooled = {name: _described(found) for name, found in sorted(index.pooled.items())}
        return {"total": len(keys), "start": start, "models": page, "pooled": pooled}

    def find_model(self, key: str) -> Mapping[str, Any] | None:
        """One champion, and what a row for it needs; None where there is none."""
        columns = self._scorer.use_case.keys
        try:
            values = parse_group_key(key, columns)
        except UseCaseError:
            return None
        champion = self._scorer.book.index.by_key.get(group_key(columns, values))
        if champion is None:
            return None
        try:
            told = self._scorer.ready(champion, values).describe()
        except Exception as error:
            logger.warning("model %s failed: %s", champion.name, error)
            told = {"error": "it cannot be loaded; the service's log says why"}
        return {**_described(champion), **told}

    def health(self) -> Mapping[str, Any]:
        """How fresh the list of champions is, and whether the registry answers."""
        found = self._scorer.book.status()
        away = found.error is not None
        late = (found.age_seconds or 0.0) > self._stale_seconds
        fresh = "stale" if away or late else "ok"
        return {
            "status": "starting" if found.seen_at is None else fresh,
            "use_case": self._scorer.use_case.name,
            "champions": found.champions,
            "registry": {
                "answers": not away,
                "seen_at": found.seen_at and found.seen_at.isoformat(timespec="seconds"),
                "age_seconds": found.age_seconds and round(found.age_seconds, 1),
            },
        }

    def figures(self) -> Sequence[Figure]:
        """Metrics of the index and the cache."""
        book, cache = self._scorer.book.status(), self._scorer.cache.counts()
        told: list[Figure] = []

        def gauge(name: str, text: str, value: float) -> None:
            told.append(Figure(name, "gauge", text, value))

        def counter(name: str, text: str, value: float) -> None:
            told.append(Figure(f"{name}_total", "counter", text, value))

        gauge("champions", "Champions known.", book.champions)
        gauge("registry_up", "Whether the registry answered last time.", book.error is None)
        if book.age_seconds is not None:
            gauge("registry_age_seconds", "Since the registry answered.", book.age_seconds)
        counter("champion_changes", "Champions new, replaced or gone.", book.changed)
        gauge("cache_bytes", "Memory of the models in the cache.", cache.bytes)
        gauge("cache_bytes_max", "The most that it may be.", self._scorer.cache.bytes_max)
        gauge("cache_models", "Models in the cache.", cache.entries)
        counter("cache_hits", "Models found in the cache.", cache.hits)
        counter("cache_misses", "Models loaded.", cache.misses)
        counter("cache_shared", "Waits for a load by another request.", cache.shared)
        counter("cache_evictions", "Models that gave way to others.", cache.evictions)
        counter("cache_oversized", "Models that were not kept for want of room.", cache.oversized)
        counter("load_failures", "Loads that failed.", cache.failures)
        counter("load_seconds", "Seconds spent on loading.", cache.load_seconds)
        return told


def _described(champion: IndexedChampion) -> dict[str, Any]:
    return {
        "key": champion.key,
        "partition": champion.partition,
        "model_name": champion.name,
        "model_version": champion.version,
        "payload_sha256": champion.sha256,
    }
