"""Which champions there are: by the composite key of their group, or the pooled model's partition.

Pure, and small: what it takes to find, check and name a champion, some hundred bytes each. Reading
them from a registry is an adapter's work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class IndexedChampion:
    """One champion: ``key`` is its group's composite key, None for a partition's pooled model.

    ``location`` is where its files are, ``sha256`` the hex digest of its payload.
    """

    name: str
    version: int
    key: str | None
    partition: str
    location: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ChampionChanges:
    """What became of champions since the last look: new or replaced ones, and names without one."""

    changed: tuple[IndexedChampion, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


@dataclass(frozen=True)
class ChampionIndex:
    """Champions of one use case at one moment; never changes, so that readers need no lock."""

    by_key: Mapping[str, IndexedChampion] = field(default_factory=dict)
    pooled: Mapping[str, IndexedChampion] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.by_key) + len(self.pooled)

    def champions(self) -> Iterable[IndexedChampion]:
        """All of them: those of groups, then the pooled."""
        yield from self.by_key.values()
        yield from self.pooled.values()

    @cached_property
    def versions(self) -> Mapping[str, int]:
        """Version by registered name."""
        return {champion.name: champion.version for champion in self.champions()}

    def with_changes(self, changes: ChampionChanges) -> ChampionIndex:
        """The index after ``changes``; this one stays as it is."""
        new = {champion.name for champion in changes.changed} | set(changes.gone)
        by_key = _without(self.by_key, new)
        pooled = _without(self.pooled, new)
        for champion in changes.changed:
            if champion.key is None:
                pooled[champion.partition] = champion
            else:
                by_key[champion.key] = champion
        return ChampionIndex(by_key, pooled)


def _without(
    champions: Mapping[str, IndexedChampion], names: Collection[str]
) -> dict[str, IndexedChampion]:
    return {key: found for key, found in champions.items() if found.name not in names}
