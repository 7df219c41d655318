"""Where the online scorer is put together: registry, lake and cache, from settings.

Whoever answers requests opens one: a worker of the service (``serving_process``), or the model that
MLflow's own servers load (``router``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from many_models import settings
from many_models.adapters.lake.group_histories import GroupHistories
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.champion_feed import ChampionFeed, open_feed
from many_models.adapters.registry.connection import is_database
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.model_cache import ModelCache
from many_models.steps.champion_book import ChampionBook
from many_models.steps.online import OnlineRules, OnlineScorer

if TYPE_CHECKING:
    from many_models.core.use_case import AnyUseCase

_LAKE_SHARE = 4  # of the cache's memory, one part of so many is for shards of the lake

Positive = Annotated[float, Field(gt=0)]


class ScoringSettings(BaseModel):
    """How predictions are made online; memory is of one process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cache_mb: Positive = 256
    refresh_seconds: Positive = 2.0
    history: Literal["model", "lake"] = "model"
    unknown: Literal["fallback", "refuse"] = "fallback"
    pinned: tuple[str, ...] = ()


def open_scorer(
    use_case: AnyUseCase, chosen: ScoringSettings, environ: Mapping[str, str]
) -> OnlineScorer:
    """What scores, with the registry and the lake of the environment."""
    uri = environ[settings.PRODUCTION_READER]
    memory = int(chosen.cache_mb * (1 << 20))
    lake_memory = memory // _LAKE_SHARE
    from_lake, fallback = chosen.history == "lake", chosen.unknown == "fallback"

    def feed() -> ChampionFeed:
        return open_feed(ReadableRegistry(uri, use_case.name), use_case.name)

    histories = None
    if from_lake or fallback:
        lake = Lake(environ[settings.LAKE])
        histories = GroupHistories(use_case, lake, bytes_max=lake_memory)
    return OnlineScorer(
        use_case,
        ChampionBook(feed, refresh_seconds=chosen.refresh_seconds),
        ModelCache(memory - (lake_memory if histories else 0), pinned=chosen.pinned),
        histories=histories,
        rules=OnlineRules(fallback=fallback, from_lake=from_lake),
        registry_uri=None if is_database(uri) else uri,
    )


def use_one_core() -> None:
    """Let the libraries of numbers start no threads: requests are what runs side by side.

    The same is so in batch, and the numbers may depend on it.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
