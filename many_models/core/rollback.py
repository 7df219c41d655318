"""History of champions, and which of them a rollback takes back to which version.

Every promotion makes a new version that names the one it ``replaces``: together they are a list
from the champion back to the first. To roll back is to undo: the champion gives way to the one that
it replaced, rolling back again to the one before that, and a version that was rolled back is never
returned to. Where nothing is left the pooled model or the baseline stands in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from many_models.core.errors import UseCaseError
from many_models.core.registration import (
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    PROMOTED_AT_TAG,
    PROMOTED_BY_TAG,
    REPLACES_TAG,
    ROLLBACK_ID_TAG,
    ROLLBACK_REASON_TAG,
    ROLLED_BACK_AT_TAG,
    ROLLED_BACK_BY_TAG,
    ROLLED_BACK_TO_TAG,
    ModelVersion,
)

BASELINE = "baseline"
REASON_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class ChampionHistory:
    """All versions of one production model, the oldest first; ``champion`` is the number of one."""

    name: str
    champion: int | None
    versions: tuple[ModelVersion, ...]

    def version(self, number: int | None) -> ModelVersion | None:
        """The version of this number, unless it was deleted."""
        return next((found for found in self.versions if found.version == number), None)


@dataclass(frozen=True, slots=True)
class Rollback:
    """Who rolls back, when (in UTC, with the zone) and why.

    ``id`` is the same however often one rollback is tried.

    Raises:
        UseCaseError: the reason is missing, or longer than 2,000 characters.
    """

    id: str
    at: datetime
    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip() or len(self.reason) > REASON_LENGTH_MAX or "\0" in self.reason:
            raise UseCaseError(
                f"a rollback needs a reason of 1 to {REASON_LENGTH_MAX:,} characters, for those "
                "who look at the history later"
            )

    def tags(self, change: ChampionChange) -> dict[str, str]:
        """What the version says from then on; ``rolled_back_at``, which marks it, comes last."""
        return {
            ROLLBACK_ID_TAG: self.id,
            ROLLED_BACK_BY_TAG: self.by,
            ROLLED_BACK_TO_TAG: str(change.to_version or BASELINE),
            ROLLBACK_REASON_TAG: self.reason,
            ROLLED_BACK_AT_TAG: self.at.isoformat(timespec="milliseconds"),
        }


@dataclass(frozen=True, slots=True)
class ChampionChange:
    """One model's way back; ``to_version`` is None where the baseline stands in.

    ``to_partition`` is set where the model belonged to another partition then.
    """

    name: str
    group_key: str
    partition: str
    from_version: int
    to_version: int | None
    to_partition: str | None = None


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What a rollback changes, and what it finds changed already, by name.

    ``done``: by an earlier try of the same rollback. ``superseded``: another version is champion.
    ``undone``: rolled back before.
    """

    changes: tuple[ChampionChange, ...]
    done: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()


def plan_rollback(
    chosen: Iterable[ModelVersion], histories: Mapping[str, ChampionHistory], rollback_id: str
) -> RollbackPlan:
    """What rolling back the ``chosen`` versions means, given the histories of their models."""
    changes: dict[str, ChampionChange] = {}
    done, superseded, undone = set[str](), set[str](), set[str]()
    for version in sorted(chosen, key=lambda v: (v.name, v.version)):
        history = histories[version.name]
        if _is_done(history, rollback_id):
            done.add(version.name)
        elif version.version == history.champion:
            changes[version.name] = _way_back(version, history)
        elif ROLLED_BACK_AT_TAG in version.tags:
            undone.add(version.name)
        else:
            superseded.add(version.name)
    left = (sorted(names - changes.keys()) for names in (done, superseded - done, undone - done))
    return RollbackPlan(tuple(changes.values()), *map(tuple, left))


def latest_promotion(champions: Collection[ModelVersion]) -> list[ModelVersion]:
    """Those champions that the latest of the runs which promoted them made champions."""
    if not champions:
        return []
    latest = max(champions, key=lambda v: v.tags.get(PROMOTED_AT_TAG, ""))
    return [v for v in champions if promotion_run(v) == promotion_run(latest)]


def promotion_run(version: ModelVersion) -> str:
    """The run that promoted a version; else, as far as is known, the one that trained it."""
    return version.tags.get(PROMOTED_BY_TAG) or version.tags.get(DAGSTER_RUN_TAG, "")


def _is_done(history: ChampionHistory, rollback_id: str) -> bool:
    """Whether this rollback took the model back; not if it was killed before it had."""
    return any(
        found.tags.get(ROLLBACK_ID_TAG) == rollback_id and found.version != history.champion
        for found in history.versions
    )


def _way_back(version: ModelVersion, history: ChampionHistory) -> ChampionChange:
    target = _find_target(version, history)
    there = None if target is None else target.tags.get(PARTITION_TAG)
    partition = version.tags.get(PARTITION_TAG, "")
    return ChampionChange(
        name=version.name,
        group_key=version.tags.get(PARTITION_KEY_TAG, ""),
        partition=partition,
        from_version=version.version,
        to_version=None if target is None else target.version,
        to_partition=None if there == partition else there,
    )


def _find_target(version: ModelVersion, history: ChampionHistory) -> ModelVersion | None:
    """The nearest that was replaced and still stands.

    Two promotions that met may both name the same version. One that was deleted cannot say what it
    replaced; then the next older version that was promoted takes its place.
    """
    number = _replaced(version)
    while number is not None:
        found = history.version(number)
        if found is None:
            older = [v.version for v in history.versions if v.version < number and _was_promoted(v)]
            number = max(older, default=None)
        elif ROLLED_BACK_AT_TAG in found.tags:
            number = _replaced(found)
        else:
            return found
    return None


def _replaced(version: ModelVersion) -> int | None:
    """Number of the version that this one replaced, which is always a lower one."""
    text = version.tags.get(REPLACES_TAG, "")
    return int(text) if text.isdecimal() and int(text) < version.version else None


def _was_promoted(version: ModelVersion) -> bool:
    return PROMOTED_AT_TAG in version.tags
