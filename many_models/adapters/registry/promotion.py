"""Copying models from the training registry into production, where they become champions.

Which models deserve it is decided in ``core``; this only carries the decision out. What was rolled
back does not come back: that takes a model trained anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.registration import (
    CHAMPION,
    PARTITION_TAG,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
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
    run_id: str | None = None,
) -> Iterator[Promotion]:
    """Make ``versions`` of ``training`` the champions of ``production``; one outcome for each.

    Partition by partition; where production is written in bulk, a partition's champions change in
    one transaction. ``extra_tags`` holds, by model name, tags to add, such as the verdict. A
    version that is champion already stays as it is, so that a promotion that was killed is
    completed by promoting again; one that was rolled back stays so. ``run_id`` is the run that
    promotes. Work happens as the result is iterated.

    Raises:
        RegistryError: when a registry itself fails; outcomes yielded before remain valid.
    """
    champions = _champions_of(production, versions)
    # Asked after the champions: what is rolled back in between is found here, or was champion.
    rolled_back = _rolled_back(production, versions)
    pending: list[Promotion] = []
    todo: list[ModelVersion] = []
    for version in versions:
        champion = champions.get(version.name)
        if champion is not None and _origin(version).items() <= champion.tags.items():
            yield Promotion(version.name, "unchanged", champion)
        elif (copy := rolled_back.get((version.name, *_origin(version).values()))) is not None:
            yield Promotion(version.name, "rolled_back", copy)
        else:
            todo.append(version)
    # The bulk writer makes what follows each other in one partition champions at once.
    todo.sort(key=lambda version: version.tags.get(PARTITION_TAG, ""))
    added = {PROMOTED_AT_TAG: datetime.now(UTC).isoformat(timespec="milliseconds")}
    added |= {PROMOTED_BY_TAG: run_id} if run_id else {}
    origins = {version.name: _origin(version) | added for version in todo}

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


def _rolled_back(
    production: MlflowRegistry, versions: Sequence[ModelVersion]
) -> dict[tuple[str, ...], ModelVersion]:
    """Production versions that were rolled back, by name and origin."""
    origin = (TRAINING_RUN_TAG, TRAINING_VERSION_TAG)
    return {
        (found.name, *(found.tags.get(tag, "") for tag in origin)): found
        for use_case in {version.tags.get(USE_CASE_TAG, "") for version in versions}
        for found in production.rolled_back(use_case)
    }
