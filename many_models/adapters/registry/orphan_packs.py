"""Packs that nothing refers to: found by what MLflow's whole database says, and deleted.

Use cases may share a folder of packs, so it is never one experiment alone that tells. Rows go
before files: whoever is killed in between leaves orphans for the next time, and no row without its
files.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.pack_place import delete_file, list_files
from many_models.adapters.registry.packs import PackFormatError, is_packed, split_location
from many_models.adapters.registry.rows import Row
from many_models.adapters.registry.version_removal import Removal
from many_models.core.retention import Pack, PackReview, review_packs

logger = logging.getLogger(__name__)

_SUFFIXES = (".pack", ".pack.tmp")  # the latter of writers that were killed

# Written without a percent sign, which the PostgreSQL driver would take for a parameter.
_MODELS = "SELECT artifact_location, model_id FROM logged_models"
_MODELS += " WHERE substr(artifact_location, 1, 5) = 'pack+'"
_VERSIONS = "SELECT COALESCE(storage_location, source), name, version FROM model_versions"
_VERSIONS += " WHERE substr(COALESCE(storage_location, source), 1, 5) = 'pack+'"


def packs_in_use(database: RegistryDatabase) -> frozenset[str]:
    """Names of all packs that the database refers to."""
    return frozenset(_count(location for location, *_ in _references(database)))


def find_orphans(
    database: RegistryDatabase,
    folder: str,
    removal: Removal,
    protected: Collection[str],
    before: datetime,
) -> PackReview:
    """Review of the packs in ``folder``, as if ``removal`` had happened, if it has not yet.

    ``protected`` and ``before`` are as for ``review_packs``. The files are listed before the rows
    are read: rows that came meanwhile count.
    """
    packs = [
        Pack(name, stored.uri, stored.size, stored.modified)
        for stored in list_files(folder)
        if (name := stored.uri.rpartition("/")[2]).endswith(_SUFFIXES)
    ]
    gone: frozenset[Row] = frozenset((model_id,) for model_id in removal.model_ids)
    gone |= removal.versions
    living = {place for place, *key in _references(database) if tuple(key) not in gone}
    dead = {location for location in removal.locations if is_packed(location)} - living
    return review_packs(packs, _count(living), _count(dead), protected, before)


def delete_packs(packs: Iterable[Pack]) -> int:
    """Delete packs; returns the bytes that were freed on the disk.

    Raises:
        RegistryError: one could not be deleted; those before it are gone.
    """
    freed = 0
    for pack in packs:
        try:
            delete_file(pack.uri)
        except OSError as error:
            raise unreachable(pack.uri, error) from error
        freed += pack.size
    return freed


def _references(database: RegistryDatabase) -> Iterator[Row]:
    yield from database.query(_MODELS)
    yield from database.query(_VERSIONS)


def _count(locations: Iterable[str]) -> Counter[str]:
    """Models by the name of their pack."""
    counts: Counter[str] = Counter()
    for location in locations:
        try:
            uri, _ = split_location(location)
        except PackFormatError:
            logger.warning("%s is not understood, and no pack is taken for it", location)
            continue
        counts[uri.rpartition("/")[2]] += 1
    return counts
