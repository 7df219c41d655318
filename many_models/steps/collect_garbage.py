"""Collect garbage: old versions that nobody needs, and the files of models that are gone.

Training loses versions and packs, production orphaned packs alone: all of its versions were
promoted. Whether production can be read is asked first, since it alone knows what was promoted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from many_models.adapters.registry.garbage import Garbage
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.packs import is_packed
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import RegistryError
from many_models.core.registration import ModelVersion
from many_models.core.retention import PackReview, choose_expendable
from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True, slots=True)
class Rules:
    """What stays: the last ``keep`` versions of each model, and files younger than ``min_age``."""

    keep: int
    min_age: timedelta


@dataclass(frozen=True, slots=True)
class Collected:
    """What one registry lost, or would lose; sizes in bytes.

    ``protected`` versions would be old enough, but are not ours or have an alias. ``pack_bytes``
    are freed on the disk; folders of ``unpacked`` models stay. ``young`` packs wait for their age;
    in ``held`` packs about ``held_dead_bytes`` of the models that go stay, beside a living one.
    ``page_bytes`` became free in the database's file, for rows to come; ``vacuumed_bytes`` of it
    went back to the disk.
    """

    versions: int = 0
    protected: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    unpacked: int = 0
    packs: int = 0
    pack_bytes: int = 0
    young_packs: int = 0
    young_bytes: int = 0
    held_packs: int = 0
    held_bytes: int = 0
    held_dead_bytes: int = 0
    page_bytes: int | None = None
    vacuumed_bytes: int = 0
    note: str | None = None


@dataclass(frozen=True, slots=True)
class CollectedGarbage:
    """What went, or would go where ``done`` is false; ``versions`` are all that training has had.

    ``production`` is None where only reading it is allowed.
    """

    use_case: str
    done: bool
    versions: int
    promoted: int
    training: Collected
    production: Collected | None


def collect_garbage(
    use_case: AnyUseCase,
    rules: Rules,
    *,
    training: MlflowRegistry,
    production: MlflowRegistry | None,
    champions: ReadableRegistry,
    delete: bool,
    vacuum: bool = False,
) -> CollectedGarbage:
    """Delete what may go, or only tell what that would be.

    ``champions`` reads production, whoever may write there.

    Raises:
        RegistryError: a registry fails, or nobody can tell what was promoted; then nothing went.
    """
    promoted = _read_promoted(use_case, champions)
    versions = training.versions(use_case.name)
    expendable = choose_expendable(versions, promoted, rules.keep)
    before = datetime.now(UTC) - rules.min_age
    collect = _Collection(before, delete, vacuum)
    garbage = training.garbage()
    cellar = production.garbage() if production else None
    return CollectedGarbage(
        use_case=use_case.name,
        done=delete,
        versions=len(versions),
        promoted=len(promoted),
        training=collect(garbage, expendable, champions),
        production=collect(cellar, [], training) if cellar else None,
    )


def _read_promoted(use_case: AnyUseCase, champions: ReadableRegistry) -> list[ModelVersion]:
    unknown = "Nothing was deleted, as only production knows which versions were ever promoted: "
    try:
        if not champions.is_set_up():
            raise RegistryError(
                f"registry {champions.uri} holds nothing yet; promote first, or mend its URL in "
                "the settings"
            )
        return champions.versions(use_case.name)
    except RegistryError as error:
        raise RegistryError(f"{unknown}{error}") from error


@dataclass(frozen=True, slots=True)
class _Collection:
    """Collects in one registry after the other."""

    before: datetime
    delete: bool
    vacuum: bool

    def __call__(
        self, garbage: Garbage, expendable: list[ModelVersion], other: ReadableRegistry
    ) -> Collected:
        """``other`` is the other registry, whose packs may stand in the same folder."""
        protected = other.packs_in_use()
        pages = garbage.free_pages()
        removal = garbage.remove(expendable, preview=not self.delete)
        packs = garbage.orphans(removal, protected, self.before)
        freed = garbage.delete(packs) if self.delete else _size(packs)
        free = garbage.free_pages() if self.delete else None
        return Collected(
            versions=len(removal.versions),
            protected=len(expendable) - len(removal.versions),
            rows={table: count for table, count in removal.rows.items() if count},
            unpacked=sum(not is_packed(location) for location in removal.locations),
            packs=len(packs.orphans),
            pack_bytes=freed,
            young_packs=len(packs.young),
            young_bytes=sum(pack.size for pack in packs.young),
            held_packs=len(packs.held),
            held_bytes=sum(pack.size for pack, _ in packs.held),
            held_dead_bytes=round(sum(pack.size * share for pack, share in packs.held)),
            page_bytes=None if free is None or pages is None else free - pages,
            vacuumed_bytes=garbage.vacuum() if self.delete and self.vacuum else 0,
            note=garbage.note,
        )


def _size(packs: PackReview) -> int:
    return sum(pack.size for pack in packs.orphans)
