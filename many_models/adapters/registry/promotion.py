"""Copying models from the training registry into production, where they become champions.

Which models deserve it is decided in ``core``; this only carries the decision out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.registration import (
    CHAMPION,
    PARTITION_TAG,
    TRAINING_RUN_TAG,
    TRAINING_VERSION_TAG,
    USE_CASE_TAG,
    ModelRecord,
    ModelVersion,
    Promotion,
    RegistrationFailure,
)


def promote(
    training: MlflowRegistry,
    production: MlflowRegistry,
    versions: Sequence[ModelVersion],
    extra_tags: Mapping[str, Mapping[str, str]],
) -> Iterator[Promotion]:
    """Make ``versions`` of ``training`` the champions of ``production``; one outcome for each.

    Partition by partition; where production is written in bulk, a partition's champions change in
    one transaction. ``extra_tags`` holds, by model name, tags to add, such as the verdict. A
    version that is champion already stays as it is, so that a promotion that was killed is
    completed by promoting again. Work happens as the result is iterated.

    Raises:
        RegistryError: when a registry itself fails; outcomes yielded before remain valid.
    """
    champions = _champions_of(production, versions)
    pending: list[Promotion] = []
    todo: list[ModelVersion] = []
    for version in versions:
        champion = champions.get(version.name)
        if champion is not None and _origin(version).items() <= champion.tags.items():
            yield Promotion(version.name, "unchanged", champion)
        else:
            todo.append(version)
    # The bulk writer makes what follows each other in one partition champions at once.
    todo.sort(key=lambda version: version.tags.get(PARTITION_TAG, ""))
    origins = {version.name: _origin(version) for version in todo}

    def records() -> Iterator[ModelRecord]:
        for found in training.read_all(todo):
            if isinstance(found, RegistrationFailure):
                pending.append(Promotion(found.name, "failed", error=found.error))
                continue
            extra = extra_tags.get(found.name, {})
            yield replace(found, tags={**found.tags, **extra, **origins[found.name]})

    for outcome in production.register(records(), alias=CHAMPION, total=len(todo)):
        if isinstance(outcome, RegistrationFailure):
            yield Promotion(outcome.name, "failed", error=outcome.error)
        else:
            yield Promotion(outcome.name, "promoted", outcome)
    yield from pending


def _origin(version: ModelVersion) -> dict[str, str]:
    return {TRAINING_RUN_TAG: version.run_id, TRAINING_VERSION_TAG: str(version.version)}


def _champions_of(
    production: MlflowRegistry, versions: Sequence[ModelVersion]
) -> dict[str, ModelVersion]:
    partitions: dict[str, set[str]] = {}
    for version in versions:
        of_use_case = partitions.setdefault(version.tags.get(USE_CASE_TAG, ""), set())
        of_use_case.add(version.tags.get(PARTITION_TAG, ""))
    return {
        champion.name: champion
        for use_case, of_use_case in partitions.items()
        for champion in production.champions(use_case, of_use_case)
    }
