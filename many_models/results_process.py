"""One worker of the results pages: where these are put together, from the environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.adapters.results.store import ResultStore
from many_models.core.use_case_file import load_use_case
from many_models.dashboard.app import LOOPBACK, create_app
from many_models.dashboard.site import Site

PASSWORD = "MANY_MODELS_RESULTS_PASSWORD"
SETTINGS = "MANY_MODELS_RESULTS_SETTINGS"


class ResultsSettings(BaseModel, frozen=True):
    """What the command line says, on its way to the workers; the password is not part of it.

    ``use_cases`` are files; without any, all are shown that the result store knows.
    """

    use_cases: tuple[str, ...] = ()
    root_path: str = ""
    open_to_all: bool = False
    on_loopback: bool = False


def make_app() -> FastAPI:
    """The app of this worker; what uvicorn calls."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings.fill_environment(os.environ)
    return build_app(ResultsSettings.model_validate_json(os.environ[SETTINGS]), os.environ)


def build_app(chosen: ResultsSettings, environ: Mapping[str, str]) -> FastAPI:
    """The app; nothing is opened before the first request.

    Raises:
        UseCaseError: there is something wrong in a use case's file.
        ValueError: there is no password, and nobody said that none is needed.
    """
    password = None if chosen.open_to_all else environ.get(PASSWORD, "").strip() or None
    if password is None and not (chosen.open_to_all or chosen.on_loopback):
        raise ValueError(f"{PASSWORD} is not set")
    site = Site(
        ResultStore(environ[settings.STORE]),
        Lake(environ[settings.LAKE]),
        *(load_use_case(Path(path)) for path in chosen.use_cases),
    )
    names = LOOPBACK if chosen.on_loopback and not chosen.open_to_all else ()
    return create_app(site, password=password, root=chosen.root_path, hosts=names)
