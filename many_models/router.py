"""The router: one registered model that predicts rows of any group of its use case.

The standard road to online scoring: MLflow's own tools load it from the production registry as
``models:/<use case>-router@champion``, and it loads the champions that rows ask for, into the same
bounded cache that the service has. It holds no model itself, so it is registered once for each
version of the use case, and follows promotions as the service does.
"""

from __future__ import annotations

import json
import os
import pickle
import threading
import weakref
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from many_models import __version__, settings
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.errors import NotReadyError, RegistryError, RequestError, UseCaseError
from many_models.core.keys import router_name
from many_models.core.online import OUT_OF_REACH, Columns, Scored
from many_models.core.registration import (
    CHAMPION,
    PROMOTED_BY_TAG,
    ROUTER_TAG,
    ModelRecord,
    RegistrationFailure,
)
from many_models.core.use_case import AnyUseCase
from many_models.core.use_case_file import parse_use_case
from many_models.online_scoring import ScoringSettings, open_scorer, use_one_core
from many_models.steps.online import OnlineScorer

SETTINGS = "MANY_MODELS_ROUTER"
"""JSON of ``ScoringSettings``, for whoever runs MLflow's server: ``{"cache_mb": 512}``."""

_DIGEST_TAG = "router_version"


class Router:
    """Predicts rows of many groups; ``description`` is the use case as JSON.

    Unpickled anywhere, it finds its registry and its lake in the environment when it is first
    asked. From then on the process's libraries of numbers use one thread, as in batch: sums in
    another order would be other numbers. Safe to share among threads.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._prepare()

    def _prepare(self) -> None:
        self._opening = threading.Lock()
        self._scorer: OnlineScorer | None = None

    def __getstate__(self) -> dict[str, str]:
        return {"description": self.description}

    def __setstate__(self, state: Mapping[str, str]) -> None:
        self.description = state["description"]
        self._prepare()

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predictions of rows of any groups, by the index of ``rows``: what the service answers.

        ``rows`` have the key columns and what the service asks for (``docs/serving.md``). Each of
        the result has its keys, ``prediction``, and what made it; null where nobody could.

        Raises:
            MlflowException: the rows are not what the models take (MLflow's server says 400),
                nothing can predict any of them (404), or the registry has never answered (503).
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import (
            BAD_REQUEST,
            RESOURCE_DOES_NOT_EXIST,
            TEMPORARILY_UNAVAILABLE,
        )

        try:
            scored = self._open().score(_as_columns(rows))
        except (RequestError, UseCaseError) as error:
            raise MlflowException(str(error), BAD_REQUEST) from error
        except NotReadyError as error:
            raise MlflowException(str(error), TEMPORARILY_UNAVAILABLE) from error
        if refusal := scored.refusal:
            code = BAD_REQUEST if refusal.reason == OUT_OF_REACH else RESOURCE_DOES_NOT_EXIST
            raise MlflowException(refusal.error, code)
        return pd.DataFrame(_without_nan(scored), index=rows.index)

    def _open(self) -> OnlineScorer:
        with self._opening:
            if self._scorer is None:
                use_one_core()
                use_case = parse_use_case(self.description, name="the router's use case")
                chosen = read_settings(os.environ)
                scorer = open_scorer(use_case, chosen, _find_places(dict(os.environ)))
                scorer.book.start()
                weakref.finalize(self, scorer.book.stop)
                self._scorer = scorer
            return self._scorer


def read_settings(environ: Mapping[str, str]) -> ScoringSettings:
    """The router's settings.

    Raises:
        UseCaseError: the variable is no JSON of them.
    """
    text = environ.get(SETTINGS) or "{}"
    try:
        return ScoringSettings.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        fields = ", ".join(ScoringSettings.model_fields)
        raise UseCaseError(
            f'{SETTINGS} is {text!r}: {told}; write JSON such as {{"cache_mb": 512}} with some of '
            f"{fields}"
        ) from error


def _find_places(environ: MutableMapping[str, str]) -> Mapping[str, str]:
    """The environment with a registry: the one that is named, else that of the router itself."""
    named = environ.get(settings.PRODUCTION_READER) or environ.get(settings.PRODUCTION_REGISTRY)
    if not named:
        import mlflow

        environ[settings.PRODUCTION_READER] = mlflow.get_registry_uri()
    settings.fill_environment(environ)
    return environ


def publish_router(
    use_case: AnyUseCase, production: MlflowRegistry, run_id: str | None = None
) -> bool:
    """Make the router of this very use case champion of its name; whether it was not so before.

    Whoever may read the registry may read it: the source's URL, which may be secret, is left out.

    Raises:
        RegistryError: it cannot be registered.
    """
    told = use_case.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    told["source"]["url"] = use_case.source.url_shown
    description = json.dumps(told)
    digest = sha256(f"{__version__} {description}".encode()).hexdigest()[:12]
    name = router_name(use_case.name)
    current = production.champion(name)
    if current is not None and current.tags.get(_DIGEST_TAG) == digest:
        return False
    tags = {ROUTER_TAG: use_case.name, _DIGEST_TAG: digest, "code_version": __version__}
    tags |= {PROMOTED_BY_TAG: run_id} if run_id else {}
    record = ModelRecord(name, pickle.dumps(Router(description)), {}, {}, tags)
    for outcome in production.register([record], alias=CHAMPION):
        if isinstance(outcome, RegistrationFailure):
            raise RegistryError(f"the router of {use_case.name!r}: {outcome.error}")
    return True


def _as_columns(rows: pd.DataFrame) -> Columns:
    """Columns of a request: a missing value is None, and whole numbers are such.

    A null elsewhere in a column of whole numbers has made floats of them.
    """
    return {str(name): [_plain(value) for value in rows[name].tolist()] for name in rows.columns}


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, str | datetime):
        return value
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.item() if isinstance(value, np.generic) else value


def _without_nan(scored: Scored) -> dict[str, pd.Series]:
    """Columns of the answer; those with nulls hold objects, as JSON knows no NaN."""
    names = scored.records[0].keys()
    columns = {name: [record[name] for record in scored.records] for name in names}
    return {
        name: pd.Series(values, dtype=object) if None in values else pd.Series(values)
        for name, values in columns.items()
    }
