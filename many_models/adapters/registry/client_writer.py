"""Writing models into any MLflow registry, with the calls that every registry understands.

Leaves what ``mlflow.sklearn.log_model(..., registered_model_name=...)`` leaves, in an order such
that a process killed at any instant leaves no version without its files and no alias on an
unfinished version.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from many_models.adapters.registry.artifact_template import (
    ArtifactTemplate,
    Identity,
    Templates,
    own_files,
)
from many_models.adapters.registry.connection import (
    as_tracking_uri,
    is_database,
    resolve_source_tags,
    unreachable,
)
from many_models.adapters.registry.model_artifact import local_path, write_local_files
from many_models.adapters.registry.search import models_named
from many_models.core.registration import (
    CANDIDATE_TAG,
    LOCATION_TAG,
    REPLACES_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import RegisteredModel

logger = logging.getLogger(__name__)

LOGGED_MODEL_NAME = "model"
_CHUNK = 100  # records looked up together; payloads of so many are in memory at once
_VERSIONS_TAG = "mlflow.modelVersions"


@dataclass(frozen=True, slots=True)
class _Known:
    """A registered model as it was found, or left: its tags, and versions by alias."""

    tags: Mapping[str, str]
    aliases: Mapping[str, int]


class ClientWriter:
    """Registers records one by one, in one experiment of one registry.

    ``example`` holds a few rows that the first record's model accepts; they give the signature of
    all. Records that bring their own files keep the signature they have.
    """

    def __init__(
        self, client: MlflowClient, uri: str, experiment_id: str, example: pd.DataFrame | None
    ) -> None:
        self._client = client
        self._uri = uri
        self._experiment_id = experiment_id
        self._templates = Templates(example)
        self._source_tags = resolve_source_tags()

    def write_all(
        self, records: Iterable[ModelRecord], alias: str | None
    ) -> Iterator[ModelVersion | RegistrationFailure]:
        """Register ``records`` as new versions, one outcome for each, in their order.

        Raises:
            RegistryError: when the registry itself fails.
        """
        iterator = iter(records)
        while chunk := list(islice(iterator, _CHUNK)):
            found = models_named(self._client, (record.name for record in chunk))
            known = {model.name: _found(model) for model in found}
            for record in chunk:
                yield self._try(record, known, alias)

    def _try(
        self, record: ModelRecord, known: dict[str, _Known], alias: str | None
    ) -> ModelVersion | RegistrationFailure:
        try:
            version = self._write(record, known.get(record.name), alias)
        except Exception as error:
            if self._is_failing(error):
                raise unreachable(self._uri, error) from error
            logger.warning("model %s was not registered: %s", record.name, error)
            return RegistrationFailure(record.name, f"{type(error).__name__}: {error}")
        before = known.get(record.name) or _Known(record.model_tags(), {})
        if alias is None:
            known[record.name] = before
        else:
            tags, aliases = {**before.tags, **record.model_tags()}, {alias: version.version}
            known[record.name] = _Known(tags, {**before.aliases, **aliases})
        return version

    def _is_failing(self, error: Exception) -> bool:
        """Whether the registry fails for every model, rather than refusing this one."""
        if isinstance(error, OSError):
            return True
        if getattr(error, "error_code", None) == "TEMPORARILY_UNAVAILABLE":
            return True
        try:
            self._client.get_experiment(self._experiment_id)
        except Exception:
            return True
        return False

    def _write(self, record: ModelRecord, known: _Known | None, alias: str | None) -> ModelVersion:
        if record.stored is not None:
            raise ValueError(f"its files are at {record.stored.location}, not where MLflow wants")
        template = self._templates.of(record)
        own = record.version_tags()
        run_id = self._client.create_run(
            self._experiment_id, tags=dict(self._source_tags), run_name=record.name
        ).info.run_id
        try:
            model = self._log(record, run_id, own, template)
        except Exception:
            with suppress(Exception):  # the first error is the one to report
                self._client.set_terminated(run_id, "FAILED")
            raise
        if known is None:
            known = self._ensure_registered(record)
        tags = {**own, LOCATION_TAG: model.artifact_location}
        if alias is not None and alias in known.aliases:
            tags[REPLACES_TAG] = str(known.aliases[alias])
        version = self._create_version(record.name, model.model_id, run_id, tags)
        if alias is not None:
            self._point(alias, record, version, known)
        return ModelVersion(record.name, version, run_id, model.artifact_location, tags)

    def _log(
        self,
        record: ModelRecord,
        run_id: str,
        tags: Mapping[str, str],
        template: ArtifactTemplate,
    ) -> LoggedModel:
        from mlflow.entities import LoggedModelOutput, Metric, Param, RunTag

        client = self._client
        model = client.create_logged_model(
            self._experiment_id,
            name=LOGGED_MODEL_NAME,
            source_run_id=run_id,
            tags={**self._source_tags, **tags},
            params=dict(record.params),
            model_type=record.tags.get(CANDIDATE_TAG),
        )
        now = int(time.time() * 1000)
        client.log_batch(
            run_id,
            metrics=[
                Metric(key, value, now, 0, model_id=model.model_id, run_id=run_id)
                for key, value in record.metrics.items()
            ],
            params=[Param(key, value) for key, value in record.params.items()],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        self._write_files(
            model,
            template.render(
                Identity(model.artifact_location, model.model_id, run_id),
                record.payload,
                own_files(record),
            ),
        )
        client.finalize_logged_model(model.model_id, "READY")
        client.set_terminated(run_id)
        return model

    def _write_files(self, model: LoggedModel, files: Mapping[str, bytes]) -> None:
        folder = local_path(model.artifact_location)
        if folder is not None:
            write_local_files(folder, files)
            return
        with tempfile.TemporaryDirectory() as scratch:
            write_local_files(Path(scratch, "model"), files)
            self._client.log_model_artifacts(model.model_id, str(Path(scratch, "model")))

    def _ensure_registered(self, record: ModelRecord) -> _Known:
        """Make the registered model unless there is one; returns what is known of it."""
        from mlflow import MlflowException

        tags = record.model_tags()
        try:
            self._client.create_registered_model(record.name, tags=tags)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _found(self._client.get_registered_model(record.name))
        return _Known(tags, {})

    def _point(self, alias: str, record: ModelRecord, version: int, known: _Known) -> None:
        """Point ``alias`` to ``version``, whose keys the registered model takes over.

        Only then: by its tags the registered model is found as what stands under the alias.
        """
        for key, value in record.model_tags().items():
            if known.tags.get(key) != value:
                _retry_once(self._client.set_registered_model_tag, record.name, key, value)
        _retry_once(self._client.set_registered_model_alias, record.name, alias, str(version))

    def _create_version(
        self, name: str, model_id: str, run_id: str, tags: Mapping[str, str]
    ) -> int:
        with as_tracking_uri(self._uri) if is_database(self._uri) else nullcontext():
            found = self._client.create_model_version(
                name, f"models:/{model_id}", run_id, tags=dict(tags), model_id=model_id
            )
        version = int(found.version)
        value = json.dumps([{"name": name, "version": version}])
        self._client.set_logged_model_tags(model_id, {_VERSIONS_TAG: value})
        return version


def _found(model: RegisteredModel) -> _Known:
    aliases = {alias: int(version) for alias, version in model.aliases.items()}
    return _Known(dict(model.tags), aliases)


def _retry_once(write: Callable[[str, str, str], object], name: str, key: str, value: str) -> None:
    """Overcome MLflow's reading before it inserts: of two writers that meet, one is refused."""
    from mlflow import MlflowException

    try:
        write(name, key, value)
    except MlflowException:
        write(name, key, value)
