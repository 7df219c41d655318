"""The rows that one ``log_model`` with registration leaves in MLflow's tables, for many models.

Pure: takes finished registrations and returns tuples, parents first and in the order of primary
keys, so that indexes grow at their end. ``tables`` says which columns they fill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from many_models.adapters.registry import tables
from many_models.adapters.registry.tables import TABLES, Table

WORKSPACE = "default"
LOGGED_MODEL_NAME = "model"

_LARGEST = 1.7976931348623157e308
_READY = 2
_TAG_LENGTH_MAX = 8000  # of a run's tag
_PARAM_LENGTH_MAX = 6000

Rows = dict[Table, list[tuple[Any, ...]]]


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


def build_rows(numbered: Sequence[tuple[Registration, int]], place: Place) -> Rows:
    """Rows of registrations with their version numbers, of every table but those that models share.

    ``registered_models``, their tags and aliases depend on what is there: see ``RegistryDatabase``.
    """
    rows: Rows = {table: [] for table in TABLES}
    add = {table: found.append for table, found in rows.items()}
    for registration, version in numbered:
        _add_run(add, registration, place)
        _add_logged_model(add, registration, version, place)
        _add_version(add, registration, version, place)
    for table, found in rows.items():
        if len(found) > 1:
            found.sort(key=itemgetter(*(table.columns.index(name) for name in table.key)))
    return rows


_Add = Mapping[Table, Callable[[tuple[Any, ...]], None]]


def _add_run(add: _Add, new: Registration, place: Place) -> None:
    now, run_id = new.created, new.run_id
    artifacts = f"{place.artifact_uri}/{run_id}/artifacts"
    who = ("UNKNOWN", "", "", place.user, "FINISHED", now, now, None, "", "active")
    add[tables.RUNS]((run_id, new.name, *who, artifacts, place.experiment_id))
    add_tag = add[tables.RUN_TAGS]
    for key, value in place.source_tags.items():
        add_tag((key, value, run_id))
    add_tag(("mlflow.runName", new.name, run_id))
    for key, value in new.tags.items():
        add_tag((key, value[:_TAG_LENGTH_MAX], run_id))
    for key, value in new.params.items():
        add[tables.PARAMS]((key, value[:_PARAM_LENGTH_MAX], run_id))
    for key, number in new.metrics.items():
        row = (key, _storable(number), now, 0, number != number, run_id)
        add[tables.METRICS](row)
        add[tables.LATEST_METRICS](row)
    output = ("RUN_OUTPUT", run_id, "MODEL_OUTPUT", new.model_id, 0)
    add[tables.INPUTS]((new.input_id, *output))


def _add_logged_model(add: _Add, new: Registration, version: int, place: Place) -> None:
    now, model_id, experiment_id = new.created, new.model_id, place.experiment_id
    state = (now, now, _READY, "active", new.model_type, new.run_id, None)
    add[tables.LOGGED_MODELS]((model_id, experiment_id, LOGGED_MODEL_NAME, new.location, *state))
    add_tag = add[tables.LOGGED_MODEL_TAGS]
    for key, value in place.source_tags.items():
        add_tag((model_id, experiment_id, key, value))
    versions = json.dumps([{"name": new.name, "version": version}])
    add_tag((model_id, experiment_id, "mlflow.modelVersions", versions))
    for key, value in new.tags.items():
        add_tag((model_id, experiment_id, key, value))
    for key, value in new.params.items():
        add[tables.LOGGED_MODEL_PARAMS]((model_id, experiment_id, key, value))
    of_run = (experiment_id, new.run_id, None, None, None)
    for key, number in new.metrics.items():
        add[tables.LOGGED_MODEL_METRICS]((model_id, key, now, 0, _storable(number), *of_run))


def _add_version(add: _Add, new: Registration, version: int, place: Place) -> None:
    source = (f"models:/{new.model_id}", new.location, new.run_id, None, "READY", None)
    state = (new.created, new.created, None, None, "None")
    add[tables.MODEL_VERSIONS]((WORKSPACE, new.name, version, *state, *source))
    add_tag = add[tables.MODEL_VERSION_TAGS]
    add_tag((WORKSPACE, new.name, version, place.location_tag, new.location))
    for key, value in new.tags.items():
        add_tag((WORKSPACE, new.name, version, key, value))


def _storable(number: float) -> float:
    """As MLflow stores it: not a number as 0 beside a mark, infinity as the largest float."""
    if number != number:
        return 0.0
    return max(-_LARGEST, min(number, _LARGEST))
