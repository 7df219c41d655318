"""Retention: which versions and packs may go, and why the others stay.

Decides on what it is shown, and deletes nothing. A version goes only if it is known that nobody
needs it: what was ever promoted stays, and so do the last versions of every model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from many_models.core.registration import (
    PAYLOAD_SHA256_TAG,
    TRAINING_RUN_TAG,
    TRAINING_VERSION_TAG,
    ModelVersion,
)


def choose_expendable(
    versions: Iterable[ModelVersion], production: Iterable[ModelVersion], keep: int
) -> list[ModelVersion]:
    """Those of ``versions`` that may go, by name and version.

    ``versions`` are all of a training registry, ``production`` all that production ever got. The
    last ``keep`` versions of each model stay, and so does every version that one in production came
    from, by its training run or its number. Where production names neither, all that have the same
    payload stay.

    Raises:
        ValueError: ``keep`` is less than one.
    """
    if keep < 1:
        raise ValueError(f"keep is {keep}, but each model keeps one version at least")
    origins = {origin for version in production for origin in _origins_of(version)}
    by_name: dict[str, list[ModelVersion]] = {}
    for version in versions:
        by_name.setdefault(version.name, []).append(version)
    return [
        version
        for name in sorted(by_name)
        for version in sorted(by_name[name], key=lambda v: v.version)[:-keep]
        if not origins.intersection(_traces_of(version))
    ]


def _origins_of(produced: ModelVersion) -> set[tuple[str, ...]]:
    tags = produced.tags
    named = {
        ("run", tags.get(TRAINING_RUN_TAG, "")),
        ("version", produced.name, tags.get(TRAINING_VERSION_TAG, "")),
    }
    if found := {origin for origin in named if origin[-1]}:
        return found
    return {("payload", produced.name, tags.get(PAYLOAD_SHA256_TAG, ""))}


def _traces_of(trained: ModelVersion) -> set[tuple[str, ...]]:
    return {
        ("run", trained.run_id),
        ("version", trained.name, str(trained.version)),
        ("payload", trained.name, trained.tags.get(PAYLOAD_SHA256_TAG, "")),
    }


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of models; ``name`` is unique wherever it stands, ``modified`` has a time zone."""

    name: str
    uri: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class PackReview:
    """Packs that no model needs: ``orphans`` may go, ``young`` may still get their rows.

    ``held`` are packs that a living model needs, with the share of their models that are dead.
    """

    orphans: tuple[Pack, ...]
    young: tuple[Pack, ...]
    held: tuple[tuple[Pack, float], ...]


def review_packs(
    packs: Iterable[Pack],
    living: Mapping[str, int],
    dead: Mapping[str, int],
    protected: Collection[str],
    before: datetime,
) -> PackReview:
    """Sort ``packs`` by what may become of them.

    ``living`` and ``dead`` count the models in a pack, by its name, that stay and that go;
    ``protected`` names packs that another registry refers to. A pack of a run under way has no rows
    yet, so one that was written after ``before`` stays, whoever needs it.
    """
    orphans, young, held = [], [], []
    for pack in packs:
        if pack.name in living or pack.name in protected:
            if gone := dead.get(pack.name, 0):
                held.append((pack, gone / (gone + living.get(pack.name, 0))))
        elif pack.modified < before:
            orphans.append(pack)
        else:
            young.append(pack)
    return PackReview(tuple(orphans), tuple(young), tuple(held))
