"""One worker of the online scoring service: its settings, and the app that uvicorn runs.

The composition root of serving: here the scorer and the HTTP app are put together. Settings travel
in one environment variable, since each worker is a process of its own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from many_models import settings
from many_models.adapters.serving.access import read_keys
from many_models.adapters.serving.app import Limits, create_app
from many_models.core.use_case_file import load_use_case
from many_models.online_scoring import Positive, ScoringSettings, open_scorer, use_one_core
from many_models.steps.online_service import OnlineService

if TYPE_CHECKING:
    from fastapi import FastAPI

SETTINGS = "MANY_MODELS_SERVING"
API_KEYS = "MANY_MODELS_API_KEY"


class ServingSettings(ScoringSettings):
    """What the command line says, as each worker needs it; memory is of one worker."""

    use_case: str
    request_mb: Positive = 8
    rows_max: Annotated[int, Field(ge=1)] = 10_000
    waiting_max: Annotated[int, Field(ge=1)] = 64
    timeout_seconds: Positive = 10.0
    threads: Annotated[int, Field(ge=1)] = 4
    warm: tuple[str, ...] = ()
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
            open_scorer(use_case, chosen, environ),
            warm=chosen.warm,
            stale_seconds=max(30.0, 5 * chosen.refresh_seconds),
        ),
        title=f"Many Models: {use_case.name}",
        keys=() if chosen.open_to_all else keys,
        limits=limits,
        prepare_thread=use_one_core,
    )
