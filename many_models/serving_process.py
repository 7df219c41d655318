"""One worker of the online scoring service: its settings, and the app that uvicorn runs.

The composition root of serving: here the registry, the lake, the cache and the HTTP app are put
together. Settings travel in one environment variable, since each worker is a process of its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from many_models import settings
from many_models.adapters.lake.group_histories import GroupHistories
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.champion_feed import ChampionFeed, open_feed
from many_models.adapters.registry.connection import is_database
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.serving.access import read_keys
from many_models.adapters.serving.app import Limits, create_app
from many_models.core.model_cache import ModelCache
from many_models.core.use_case_file import load_use_case
from many_models.steps.champion_book import ChampionBook
from many_models.steps.online import OnlineRules, OnlineScorer
from many_models.steps.online_service import OnlineService

if TYPE_CHECKING:
    from fastapi import FastAPI

    from many_models.core.use_case import AnyUseCase

SETTINGS = "MANY_MODELS_SERVING"
API_KEYS = "MANY_MODELS_API_KEY"
_LAKE_SHARE = 4  # of the cache's memory, one part of so many is for shards of the lake

Positive = Annotated[float, Field(gt=0)]


class ServingSettings(BaseModel):
    """What the command line says, as each worker needs it; memory is of one worker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use_case: str
    cache_mb: Positive = 256
    refresh_seconds: Positive = 2.0
    history: Literal["model", "lake"] = "model"
    unknown: Literal["fallback", "refuse"] = "fallback"
    request_mb: Positive = 8
    rows_max: Annotated[int, Field(ge=1)] = 10_000
    waiting_max: Annotated[int, Field(ge=1)] = 64
    timeout_seconds: Positive = 10.0
    threads: Annotated[int, Field(ge=1)] = 4
    warm: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    open_to_all: bool = False


def make_app() -> FastAPI:
    """The app of this worker, from the environment; what uvicorn calls."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings.fill_environment(os.environ)
    return build_app(ServingSettings.model_validate_json(os.environ[SETTINGS]), os.environ)


def build_app(chosen: ServingSettings, environ: Mapping[str, str]) -> FastAPI:
    """The app; the registry is asked when it starts.

    Raises:
        UseCaseError: there is something wrong in the use case's file.
        ValueError: there is no API key, and nobody said that none is needed.
    """
    keys = read_keys(environ.get(API_KEYS, ""))
    if not keys and not chosen.open_to_all:
        raise ValueError(f"{API_KEYS} is not set")
    use_case = load_use_case(Path(chosen.use_case))
    limits = Limits(
        body_bytes=int(chosen.request_mb * (1 << 20)),
        rows=chosen.rows_max,
        waiting=chosen.waiting_max,
        seconds=chosen.timeout_seconds,
        threads=chosen.threads,
    )
    return create_app(
        OnlineService(
            build_scorer(use_case, chosen, environ),
            warm=chosen.warm,
            stale_seconds=max(30.0, 5 * chosen.refresh_seconds),
        ),
        title=f"Many Models: {use_case.name}",
        keys=() if chosen.open_to_all else keys,
        limits=limits,
        prepare_thread=_use_one_core,
    )


def build_scorer(
    use_case: AnyUseCase, chosen: ServingSettings, environ: Mapping[str, str]
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


def _use_one_core() -> None:
    """Let the libraries of numbers start no threads: requests are what runs side by side.

    The same is so in batch, and the numbers may depend on it.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
