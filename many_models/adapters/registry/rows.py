"""The rows that one ``log_model`` with registration leaves in MLflow's tables, for many models.

Pure: takes finished registrations and makes tuples as they are asked for, parents first and in the
order of primary keys, so that indexes grow at their end. ``tables`` says which columns they fill.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from many_models.adapters.registry import tables
from many_models.adapters.registry.tables import Table

WORKSPACE = "default"
LOGGED_MODEL_NAME = "model"

_LARGEST = 1.7976931348623157e308
_READY = 2
_TAG_LENGTH_MAX = 8000  # of a run's tag
_PARAM_LENGTH_MAX = 6000

Row = tuple[Any, ...]
Numbered = Sequence[tuple["Registration", int]]
"""Registrations with their version numbers."""
TableRows = Iterator[tuple[Table, Iterator[Row]]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registration:
    """A model whose files are in place, ready to be written down; ``created`` in milliseconds.

    ``tags`` are those of run, logged model and version; ``model_tags`` the registered model's.
    """

    name: str
    run_id: str
    model_id: str
    input_id: str
    location: str
    metrics: Mapping[str, float]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    model_tags: Mapping[str, str]
    model_type: str | None
    created: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where registrations go: the experiment and its artifact URI, and who registers with what."""

    experiment_id: int
    artifact_uri: str
    user: str
    source_tags: Mapping[str, str]
    location_tag: str


def build_rows(numbered: Numbered, place: Place) -> TableRows:
    """Rows of every table but those that models share: each to be used up before the next is.

    ``registered_models``, their tags and aliases depend on what is there: see ``RegistryDatabase``.
    """
    new = sorted((registration for registration, _ in numbered), key=lambda r: r.run_id)
    yield from _runs(new, place)
    yield from _logged_models(new, place, {r.run_id: version for r, version in numbered})
    yield from _versions(sorted(numbered, key=lambda item: (item[0].name, item[1])), place)


def _runs(new: Sequence[Registration], place: Place) -> TableRows:
    folder = place.artifact_uri
    alike = (place.experiment_id, "UNKNOWN", "", "", place.user, "FINISHED", "", "active")
    yield (
        tables.RUNS,
        (
            (r.run_id, r.name, r.created, r.created, f"{folder}/{r.run_id}/artifacts", *alike)
            for r in new
        ),
    )
    tags = [{**place.source_tags, "mlflow.runName": r.name, **r.tags} for r in new]
    yield (
        tables.RUN_TAGS,
        ((key, value[:_TAG_LENGTH_MAX], r.run_id) for key, r, value in _by_key(new, tags)),
    )
    params = [r.params for r in new]
    yield (
        tables.PARAMS,
        ((key, value[:_PARAM_LENGTH_MAX], r.run_id) for key, r, value in _by_key(new, params)),
    )
    metrics = [r.metrics for r in new]
    for table in (tables.METRICS, tables.LATEST_METRICS):
        yield (
            table,
            (
                (key, _storable(number), r.created, 0, number != number, r.run_id)
                for key, r, number in _by_key(new, metrics)
            ),
        )
    yield (
        tables.INPUTS,
        ((r.input_id, "RUN_OUTPUT", r.run_id, "MODEL_OUTPUT", r.model_id, 0) for r in new),
    )


def _logged_models(
    new: Sequence[Registration], place: Place, versions: Mapping[str, int]
) -> TableRows:
    experiment_id = place.experiment_id
    alike = (experiment_id, LOGGED_MODEL_NAME, _READY, "active")
    yield (
        tables.LOGGED_MODELS,
        (
            (r.model_id, r.location, r.created, r.created, r.model_type, r.run_id, *alike)
            for r in new
        ),
    )
    yield (
        tables.LOGGED_MODEL_METRICS,
        (
            (r.model_id, key, r.created, 0, _storable(number), experiment_id, r.run_id)
            for r in new
            for key, number in r.metrics.items()
        ),
    )
    yield (
        tables.LOGGED_MODEL_PARAMS,
        ((r.model_id, experiment_id, *item) for r in new for item in r.params.items()),
    )
    yield (
        tables.LOGGED_MODEL_TAGS,
        (
            (r.model_id, experiment_id, key, value)
            for r in new
            for key, value in {
                **place.source_tags,
                "mlflow.modelVersions": _registered_as(r.name, versions[r.run_id]),
                **r.tags,
            }.items()
        ),
    )


def _versions(numbered: Numbered, place: Place) -> TableRows:
    alike = (WORKSPACE, "None", "READY")
    yield (
        tables.MODEL_VERSIONS,
        (
            (r.name, n, r.created, r.created, f"models:/{r.model_id}", r.location, r.run_id, *alike)
            for r, n in numbered
        ),
    )
    tags = [{place.location_tag: r.location, **r.tags} for r, _ in numbered]
    yield (
        tables.MODEL_VERSION_TAGS,
        (
            (WORKSPACE, r.name, version, key, value)
            for key, (r, version), value in _by_key(numbered, tags)
        ),
    )


def _by_key(
    owners: Sequence[T], items: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, T, Any]]:
    """Key, owner and value of the items of each owner, in the order of keys, then of owners."""
    for key in sorted(set().union(*items)):
        for owner, found in zip(owners, items, strict=True):
            if key in found:
                yield key, owner, found[key]


def _registered_as(name: str, version: int) -> str:
    return json.dumps([{"name": name, "version": version}])


def _storable(number: float) -> float:
    """As MLflow stores it: not a number as 0 beside a mark, infinity as the largest float."""
    if number != number:
        return 0.0
    return max(-_LARGEST, min(number, _LARGEST))
