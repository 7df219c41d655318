"""Finding models in any MLflow registry, with the searches that every registry understands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.reader import Details, as_histories
from many_models.adapters.registry.search import (
    models_named,
    one_of_filters,
    search_models,
    search_runs,
    search_versions,
    tag_filter,
    tagged_filter,
)
from many_models.core.registration import (
    CHAMPION,
    LOCATION_TAG,
    PARTITION_TAG,
    USE_CASE_TAG,
    ModelVersion,
)
from many_models.core.rollback import ChampionHistory

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as FoundVersion
    from mlflow.entities.model_registry import RegisteredModel

_PARTITION_QUERIES = 20  # beyond so many partitions, one query for all of them is cheaper


class ClientReader:
    """Finds models of one registry, and runs of one experiment, through ``client``."""

    def __init__(self, client: MlflowClient, find_experiment_id: Callable[[], str]) -> None:
        self._client = client
        self._find_experiment_id = find_experiment_id

    def champions(self, use_case: str, partitions: Collection[str] | None) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        found: dict[str, ModelVersion] = {}
        older: dict[str, int] = {}
        for model in self._models(use_case, partitions):
            number = model.aliases.get(CHAMPION)
            if number is None:
                continue
            latest = [v for v in model.latest_versions if int(v.version) == int(number)]
            if latest:
                found[model.name] = self._version(latest[0])
            else:
                older[model.name] = int(number)
        for condition in one_of_filters("name", older):
            for version in search_versions(self._client, condition):
                if older.get(version.name) == int(version.version):
                    found[version.name] = self._version(version)
        wanted = None if partitions is None else set(partitions)
        return [
            found[name]
            for name in sorted(found)
            if found[name].tags.get(USE_CASE_TAG) == use_case
            and (wanted is None or found[name].tags.get(PARTITION_TAG) in wanted)
        ]

    def champion(self, name: str) -> ModelVersion | None:
        """Version under alias ``champion`` of the registered model ``name``."""
        from mlflow import MlflowException

        try:
            return self._version(self._client.get_model_version_by_alias(name, CHAMPION))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None  # MLflow calls an alias that is not there an invalid one
            raise unreachable(self._client.tracking_uri, error) from error

    def versions(self, tags: Mapping[str, str]) -> list[ModelVersion]:
        """Every version that carries all of ``tags``, by name and version."""
        condition = " AND ".join(tag_filter(key, value) for key, value in tags.items())
        found = [self._version(version) for version in search_versions(self._client, condition)]
        return sorted(
            (v for v in found if tags.items() <= v.tags.items()),
            key=lambda v: (v.name, v.version),
        )

    def tagged(self, use_case: str, key: str) -> list[ModelVersion]:
        """Every version of a use case with a tag ``key``, whatever it says, by name and version."""
        condition = f"{tag_filter(USE_CASE_TAG, use_case)} AND {tagged_filter(key)}"
        found = [self._version(version) for version in search_versions(self._client, condition)]
        return sorted(
            (v for v in found if v.tags.get(USE_CASE_TAG) == use_case),
            key=lambda v: (v.name, v.version),
        )

    def histories(self, names: Collection[str]) -> dict[str, ChampionHistory]:
        """All versions, and the champion, of those of ``names`` that are registered models."""
        champions = {
            model.name: int(model.aliases[CHAMPION])
            for model in models_named(self._client, names)
            if CHAMPION in model.aliases
        }
        wanted = set(names)
        versions: dict[str, list[ModelVersion]] = {}
        for condition in one_of_filters("name", sorted(wanted)):
            for version in search_versions(self._client, condition):
                if version.name in wanted:
                    versions.setdefault(version.name, []).append(self._version(version))
        return as_histories(versions, champions)

    def metrics(self, versions: Sequence[ModelVersion]) -> dict[str, dict[str, float]]:
        """Metrics by ``run_id``; infinity comes back as the largest float."""
        return {run.info.run_id: dict(run.data.metrics) for run in self._runs(versions)}

    def details(self, versions: Sequence[ModelVersion]) -> dict[str, Details]:
        """What belongs to ``versions``, by ``run_id``; those whose run is gone are left out."""
        runs = {run.info.run_id: run.data for run in self._runs(versions)}
        found = models_named(self._client, (version.name for version in versions))
        tags = {model.name: frozenset(model.tags) for model in found}
        return {
            v.run_id: Details(
                dict(runs[v.run_id].metrics),
                dict(runs[v.run_id].params),
                tags.get(v.name, frozenset()),
            )
            for v in versions
            if v.run_id in runs
        }

    def _models(
        self, use_case: str, partitions: Collection[str] | None
    ) -> Iterator[RegisteredModel]:
        condition = tag_filter(USE_CASE_TAG, use_case)
        if partitions is None or len(set(partitions)) > _PARTITION_QUERIES:
            yield from search_models(self._client, condition)
            return
        for partition in sorted(set(partitions)):
            narrowed = f"{condition} AND {tag_filter(PARTITION_TAG, partition)}"
            yield from search_models(self._client, narrowed)

    def _runs(self, versions: Sequence[ModelVersion]) -> Iterator[Run]:
        run_ids = {version.run_id for version in versions}
        return search_runs(self._client, self._find_experiment_id(), run_ids)

    def _version(self, found: FoundVersion) -> ModelVersion:
        tags = dict(found.tags)
        number = int(found.version)
        location = tags.get(LOCATION_TAG) or self._client.get_model_version_download_uri(
            found.name, str(number)
        )
        return ModelVersion(found.name, number, found.run_id or "", location, tags)
