"""The address under which a server registers thousands of models at once.

A POST brings them, see ``registration_stream``; the answer says for each whether it is registered
or why not. One request is one transaction: when it fails, nothing of it is there. A GET says
whether this server can do so, for the experiment that both name by ``?experiment_id=``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from many_models.adapters.registry.bulk_writer import BulkWriter
from many_models.adapters.registry.connection import with_driver
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.registration_stream import (
    CONTENT_TYPE,
    FORMAT,
    Header,
    StreamError,
    read_records,
    write_outcomes,
)
from many_models.adapters.registry.rows import WORKSPACE, Place
from many_models.adapters.registry.writer import DatabaseChoice, choose_database
from many_models.adapters.registry_server.permissions import Permissions
from many_models.adapters.registry_server.request_limit import request_bytes
from many_models.adapters.registry_server.storage import PackStorage, find_storage
from many_models.core.errors import RegistryError
from many_models.core.registration import LOCATION_TAG, ModelRecord, ModelVersion

if TYPE_CHECKING:
    from flask import Response
    from mlflow.entities import Experiment

logger = logging.getLogger(__name__)

_IN_ONE_QUERY = 5_000
_PROMPT_TAG = "mlflow.prompt.is_prompt"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the models of a request go, or why they cannot (``database`` is None then)."""

    experiment: Experiment
    database: RegistryDatabase | None
    storage: PackStorage | None
    reason: str


class Registrations:
    """Views of Flask; ``permissions`` is None where everybody may do everything."""

    def __init__(self, permissions: Permissions | None) -> None:
        self._permissions = permissions

    def offer(self) -> Response:
        """What this server can do, for the experiment named."""
        from flask import jsonify

        experiment_id = _experiment_id()
        if self._permissions is not None:
            self._permissions.require_reader(experiment_id)
        target = _find_target(experiment_id)
        return jsonify(
            format=FORMAT,
            bulk=target.database is not None,
            reason=target.reason,
            request_bytes=request_bytes(),
        )

    def register(self) -> Response:
        """Register what the request brings; all of it was read and checked before."""
        from flask import Response, request
        from mlflow import MlflowException
        from mlflow.protos.databricks_pb2 import NOT_IMPLEMENTED

        experiment_id = _experiment_id()
        if self._permissions is not None:  # before any byte of the stream is looked at
            self._permissions.require_editor(experiment_id)
        target = _find_target(experiment_id)
        if target.database is None or target.storage is None:
            raise MlflowException(target.reason, NOT_IMPLEMENTED)
        request.max_content_length = request_bytes()
        try:
            header, records = read_records(request.get_data(), request_bytes())
        except StreamError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        _check(header, records)
        names = {record.name for record in records}
        known = _find_known(target.database, names)
        if self._permissions is not None:
            self._permissions.require_writer(names, known, moves_alias=header.alias is not None)
        outcomes = _write(target.database, target.storage, target.experiment, header, records)
        if self._permissions is not None:
            written = {o.name for o in outcomes if isinstance(o, ModelVersion)}
            self._permissions.hand_over(written - known)
        return Response(write_outcomes(outcomes), mimetype=CONTENT_TYPE)


def _experiment_id() -> str:
    from flask import request
    from mlflow import MlflowException

    experiment_id = request.args.get("experiment_id", "")
    if not experiment_id.isdecimal():
        raise MlflowException.invalid_parameter_value("say which ?experiment_id= is meant")
    return experiment_id


def _find_target(experiment_id: str) -> _Target:
    from mlflow import MlflowException
    from mlflow.server.handlers import _get_tracking_store

    store = _get_tracking_store()
    experiment: Experiment = store.get_experiment(experiment_id)  # type: ignore[no-untyped-call]
    if experiment.lifecycle_stage != "active":
        raise MlflowException.invalid_parameter_value(f"experiment {experiment_id} was deleted")
    found = _choose_database()
    storage = find_storage(experiment.artifact_location)
    if found.database is None:
        return _Target(experiment, None, None, found.reason)
    if isinstance(storage, str):
        return _Target(experiment, None, None, storage)
    return _Target(experiment, found.database, storage, found.reason)


def _choose_database() -> DatabaseChoice:
    """The database behind this server, where its tables are those that we know."""
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR

    uri = os.environ.get(BACKEND_STORE_URI_ENV_VAR, "")
    if os.environ.get(REGISTRY_STORE_URI_ENV_VAR, uri) != uri:
        return DatabaseChoice(None, "runs and registered models are in two databases")
    if MLFLOW_ENABLE_WORKSPACES.get():  # type: ignore[no-untyped-call]
        return DatabaseChoice(None, "workspaces are enabled, and bulk writing knows but one")
    return choose_database(with_driver(uri))


def _check(header: Header, records: Sequence[ModelRecord]) -> None:
    """Make sure that MLflow takes what goes for all models, and that none turns into a prompt."""
    from mlflow import MlflowException
    from mlflow.utils import validation as rules

    if header.alias is not None:
        rules._validate_model_alias_name(header.alias)  # type: ignore[no-untyped-call]
        rules._validate_model_alias_name_reserved(header.alias)  # type: ignore[no-untyped-call]
    for key, value in header.source_tags.items():
        rules._validate_tag(key, value)  # type: ignore[no-untyped-call]
    for record in records:
        if _PROMPT_TAG in record.tags:
            raise MlflowException.invalid_parameter_value(f"model {record.name!r} is a prompt")


def _find_known(database: RegistryDatabase, names: Collection[str]) -> set[str]:
    """Those of ``names`` that are registered; none may be a prompt."""
    from mlflow import MlflowException

    ordered = sorted(names)
    known: set[str] = set()
    for start in range(0, len(ordered), _IN_ONE_QUERY):
        part = ordered[start : start + _IN_ONE_QUERY]
        condition = f"workspace = '{WORKSPACE}' AND name IN ({', '.join('?' * len(part))})"
        rows = database.query(f"SELECT name FROM registered_models WHERE {condition}", part)
        known.update(name for (name,) in rows)
        prompts = f"SELECT name FROM registered_model_tags WHERE key = ? AND {condition}"
        for (name,) in database.query(prompts, [_PROMPT_TAG, *part]):
            raise MlflowException.invalid_parameter_value(f"{name!r} is the name of a prompt")
    return known


def _write(
    database: RegistryDatabase,
    storage: PackStorage,
    experiment: Experiment,
    header: Header,
    records: Sequence[ModelRecord],
) -> list[Any]:
    from mlflow import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    place = Place(
        experiment_id=int(experiment.experiment_id),
        artifact_uri=experiment.artifact_location.rstrip("/"),
        user=header.source_tags.get("mlflow.user", "unknown"),
        source_tags=header.source_tags,
        location_tag=LOCATION_TAG,
    )
    writer = BulkWriter(
        database,
        "behind this server",
        place,
        storage.folder,
        None,
        address=storage.address,
        chunk=max(1, len(records)),
    )
    try:
        return list(writer.write_all(records, header.alias))
    except RegistryError as error:
        logger.exception("a registration failed")
        raise MlflowException(
            "the server cannot write to its registry or its packs, nothing was registered; its "
            "log says why",
            TEMPORARILY_UNAVAILABLE,
        ) from error
