"""The port through which registered models are found.

``client_reader`` asks any MLflow registry through its searches; ``sql_reader`` asks the tables of a
database that it knows, one query for thousands of models.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from many_models.core.registration import ModelVersion
from many_models.core.rollback import ChampionHistory


@dataclass(frozen=True, slots=True)
class Details:
    """What a version's run holds, and the names of the tags that its registered model has."""

    metrics: Mapping[str, float]
    params: Mapping[str, str]
    model_tags: frozenset[str]


class ModelReader(Protocol):
    """Finds versions by what they are; raises ``RegistryError`` when the registry fails."""

    def champions(self, use_case: str, partitions: Collection[str] | None) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        ...

    def champion(self, name: str) -> ModelVersion | None:
        """Version under alias ``champion`` of the registered model ``name``."""
        ...

    def versions(self, tags: Mapping[str, str]) -> list[ModelVersion]:
        """Every version that carries all of ``tags``, by name and version."""
        ...

    def tagged(self, use_case: str, key: str) -> list[ModelVersion]:
        """Every version of a use case with a tag ``key``, whatever it says, by name and version."""
        ...

    def histories(self, names: Collection[str]) -> dict[str, ChampionHistory]:
        """All versions, and the champion, of those of ``names`` that are registered models."""
        ...

    def metrics(self, versions: Sequence[ModelVersion]) -> dict[str, dict[str, float]]:
        """Metrics by ``run_id``; infinity comes back as the largest float."""
        ...

    def details(self, versions: Sequence[ModelVersion]) -> dict[str, Details]:
        """What belongs to ``versions``, by ``run_id``; those whose run is gone are left out."""
        ...


def as_histories(
    versions: Mapping[str, Sequence[ModelVersion]], champions: Mapping[str, int]
) -> dict[str, ChampionHistory]:
    """Histories of models by name, from their versions in any order."""
    return {
        name: ChampionHistory(
            name, champions.get(name), tuple(sorted(found, key=lambda v: v.version))
        )
        for name, found in sorted(versions.items())
    }
