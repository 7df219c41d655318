"""What MLflow would refuse to register, asked before anything is written in bulk.

MLflow's own checks, each name checked once: thousands of models have the same tags and metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from mlflow.utils import validation as rules

from many_models.core.registration import ModelRecord

_LOCATION_LENGTH_MAX = 500  # of ``model_versions.storage_location``


def check_record(record: ModelRecord) -> None:
    """Make sure that MLflow takes the names, tags, parameters and metrics of ``record``.

    Raises:
        MlflowException: naming what it does not take.
    """
    rules._validate_model_name(record.name)
    _check_tag_keys(tuple(record.tags))
    for key, value in record.tags.items():
        if not isinstance(value, str) or len(value) > rules.MAX_MODEL_REGISTRY_TAG_VALUE_LENGTH:
            rules._validate_model_version_tag(key, value)  # type: ignore[no-untyped-call]
    _check_param_keys(tuple(record.params))
    _check_metric_keys(tuple(record.metrics))
    for key, number in record.metrics.items():
        if type(number) is not float:
            rules._validate_metric(key, number, 0, 0)  # type: ignore[no-untyped-call]


def check_alias(alias: str) -> None:
    """Make sure that MLflow takes ``alias``.

    Raises:
        MlflowException: when it does not.
    """
    rules._validate_model_alias_name(alias)  # type: ignore[no-untyped-call]
    rules._validate_model_alias_name_reserved(alias)  # type: ignore[no-untyped-call]


def check_location(location: str) -> None:
    """Make sure that MLflow's tables have room for ``location``.

    Raises:
        ValueError: when it is too long.
    """
    if len(location) > _LOCATION_LENGTH_MAX:
        raise ValueError(
            f"location {location} has {len(location)} characters, and MLflow keeps "
            f"{_LOCATION_LENGTH_MAX}: choose a shorter artifact folder in the settings"
        )


@lru_cache
def _check_tag_keys(keys: Iterable[str]) -> None:
    for key in keys:
        rules._validate_model_version_tag(key, "")  # type: ignore[no-untyped-call]


@lru_cache
def _check_param_keys(keys: Iterable[str]) -> None:
    for key in keys:
        rules._validate_param(key, "")  # type: ignore[no-untyped-call]


@lru_cache
def _check_metric_keys(keys: Iterable[str]) -> None:
    for key in keys:
        rules._validate_metric(key, 0.0, 0, 0)  # type: ignore[no-untyped-call]
