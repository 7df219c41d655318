"""Online scoring: rows of any groups in, predictions out, each with what made it.

Models are loaded when they are first asked for and kept as memory allows. The numbers are those of
batch scoring: of the champion from the last time that it has seen, or, where histories are read
from the lake, of the whole of batch scoring after the last time that was ingested.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from many_models.adapters.registry.model_artifact import load_payload
from many_models.core.champion_index import IndexedChampion
from many_models.core.errors import LakeError, RegistryError
from many_models.core.failure import Problem
from many_models.core.forecast.pooled.stand_in import POOLED_KEY
from many_models.core.keys import group_key
from many_models.core.model_cache import Loaded, ModelCache
from many_models.core.online import (
    Answer,
    Columns,
    GroupHistory,
    Key,
    ReadyModel,
    Scored,
    as_iso,
    count_rows,
    find_groups,
)
from many_models.core.scoring import Champion
from many_models.core.shapes import shape_of
from many_models.core.sharding import partition_of
from many_models.core.use_case import AnyUseCase
from many_models.steps.champion_book import ChampionBook

logger = logging.getLogger(__name__)

NO_HISTORY = "no_history"
_LOGGED = "the service's log says why"  # texts with addresses and paths are not for clients


class Histories(Protocol):
    """Where the rows of a group are read from."""

    def of(self, key: Key, partition: str) -> GroupHistory:
        """All rows of a group; LakeError where the lake cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class OnlineRules:
    """What a service does: ``fallback`` lets others stand in for a missing champion, as in batch.

    ``from_lake`` scores every group from its rows in the lake; else champions go by what they
    carry, and only where one is missing the lake is looked into.
    """

    fallback: bool = True
    from_lake: bool = False


class OnlineScorer:
    """Answers requests about one use case; many threads may ask it at once.

    ``registry_uri`` is that of an MLflow server that hands out payloads, where one does.
    """

    def __init__(
        self,
        use_case: AnyUseCase,
        book: ChampionBook,
        cache: ModelCache[ReadyModel],
        *,
        histories: Histories | None = None,
        rules: OnlineRules | None = None,
        registry_uri: str | None = None,
    ) -> None:
        self.use_case = use_case
        self.book = book
        self.cache = cache
        self._histories = histories
        self._rules = rules or OnlineRules()
        self._registry_uri = registry_uri
        self._shape = shape_of(use_case).online(use_case)

    def score(self, columns: Columns) -> Scored:
        """Predictions of a request's rows.

        Raises:
            RequestError: a column is missing, or does not hold what it should.
        """
        groups = find_groups(columns, self.use_case)
        wanted = self._shape.read_wanted(columns, self.use_case)
        scored = Scored([{} for _ in range(count_rows(columns))])
        echoed = [name for name in self._shape.row_columns if name in columns]
        for key, rows in groups.items():
            found = self.answer(key, wanted, rows)
            composite = group_key(self.use_case.keys, key)
            named = dict(zip(self.use_case.keys, key, strict=True))
            if isinstance(found, Problem):
                scored.unserved[composite] = found
            for row, record in zip(
                rows, _records(found, len(rows), self._shape.predicted), strict=True
            ):
                own = {name: columns[name][row] for name in echoed}
                scored.records[row] = {**named, **own, **record}
            scored.sources[_source(found)] += len(rows)
        return scored

    def answer(self, key: Key, wanted: Any, rows: Sequence[int]) -> Answer | Problem:
        """Predictions of one group's rows, or why there are none."""
        places = np.array(rows, dtype=np.int64)
        champion = self.book.index.by_key.get(group_key(self.use_case.keys, key))
        problem = Problem("no_champion", "no model of this group is in production")
        if champion is not None and not self._rules.from_lake:
            try:
                return self.ready(champion, key).answer(wanted, places)
            except Exception as error:
                logger.warning("model %s failed: %s", champion.name, error)
                problem = Problem("champion_failed", f"{champion.name} failed; {_LOGGED}")
        if not self._rules.fallback and (champion is None or not self._rules.from_lake):
            return problem
        return self._score_history(key, wanted, places, champion, problem)

    def ready(self, champion: IndexedChampion, key: Key) -> ReadyModel:
        """The model of ``champion``, from memory or loaded now.

        Raises:
            RegistryError: its files are not there, or not those that were registered.
            ValueError: it is no model of this group as the use case has it now.
        """

        def load() -> Loaded[ReadyModel]:
            found = self._shape.make_ready(self._read(champion), key, self.use_case)
            return Loaded(found, found.size)

        stamp = champion.version, champion.sha256
        return self.cache.get(champion.key or champion.name, stamp, load)

    def warm_up(self, keys: Sequence[Key]) -> int:
        """Load the models of these groups; returns how many could be."""
        loaded = 0
        for key in keys:
            champion = self.book.index.by_key.get(group_key(self.use_case.keys, key))
            try:
                if champion is not None:
                    self.ready(champion, key)
                    loaded += 1
            except Exception as error:
                logger.warning("model %s failed: %s", champion and champion.name, error)
        return loaded

    def _read(self, champion: IndexedChampion) -> Champion:
        uri, digest = champion.location, champion.sha256
        payload = load_payload(uri, digest, champion.name, registry_uri=self._registry_uri)
        return Champion(champion.name, champion.version, payload)

    def _score_history(
        self,
        key: Key,
        wanted: Any,
        rows: Any,
        champion: IndexedChampion | None,
        problem: Problem,
    ) -> Answer | Problem:
        if self._histories is None:
            text = "no lake is at hand that holds this group's history"
            return Problem(problem.reason, f"{problem.error}; {text}")
        partition = partition_of(key, self.use_case)
        own = champion if self._rules.from_lake else None
        champions = _Champions(self, key, own, self.book.index.pooled.get(partition))
        try:
            history = self._histories.of(key, partition)
            found = self._shape.score_history(
                history, wanted, rows, key, champions, self.use_case, partition
            )
        except LakeError as error:
            logger.warning("the lake cannot be read: %s", error)
            return Problem(NO_HISTORY, f"{problem.error}; the lake cannot be read; {_LOGGED}")
        if isinstance(found, Answer) and own is None and champion is not None:
            return replace(found, problem=problem)
        return found


class _Champions(Mapping[str, Champion]):
    """What batch scoring is given of a group: its champion and its partition's pooled model."""

    def __init__(
        self,
        scorer: OnlineScorer,
        key: Key,
        own: IndexedChampion | None,
        pooled: IndexedChampion | None,
    ) -> None:
        found = {group_key(scorer.use_case.keys, key): own, POOLED_KEY: pooled}
        self._found = {name: champion for name, champion in found.items() if champion is not None}
        self._scorer = scorer

    def __getitem__(self, name: str) -> Champion:
        champion = self._found[name]
        try:
            return self._scorer._read(champion)
        except RegistryError as error:
            logger.warning("model %s failed: %s", champion.name, error)
            return Champion(champion.name, champion.version, None, f"it cannot be read; {_LOGGED}")

    def __iter__(self) -> Any:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _source(found: Answer | Problem) -> str:
    return "none" if isinstance(found, Problem) else found.source


def _records(found: Answer | Problem, count: int, predicted: Sequence[str]) -> list[dict[str, Any]]:
    """What is said of each of ``count`` rows; not a number is null."""
    if isinstance(found, Problem):
        said = _said("none", None, None, None, found)
        return [dict.fromkeys(predicted) | said] * count
    said = _said(found.source, found.origin, found.candidate, found.champion, found.problem)
    values = [[_plain(value) for value in found.columns[name].tolist()] for name in predicted]
    return [dict(zip(predicted, row, strict=True)) | said for row in zip(*values, strict=True)]


def _said(
    source: str,
    origin: np.datetime64 | None,
    candidate: str | None,
    champion: Champion | None,
    problem: Problem | None,
) -> dict[str, Any]:
    return {
        "origin": None if origin is None else as_iso(origin),
        "source": source,
        "candidate": candidate,
        "model_name": champion.name if champion else None,
        "model_version": champion.version if champion else None,
        "reason": problem.reason if problem else None,
        "error": problem.error if problem else None,
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
