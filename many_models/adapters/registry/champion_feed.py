"""What became of a use case's champions since the last look, for whoever keeps an index of them.

In a database that we know: nearly for free where nothing happened, else one pass over the aliases
and the details of what is new. Through an MLflow server: all champions anew, thousands a second, so
that is to be asked less often. Only reads.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.registry.rows import WORKSPACE, Row
from many_models.core.champion_index import ChampionChanges, IndexedChampion
from many_models.core.errors import RegistryError
from many_models.core.registration import (
    CHAMPION,
    LOCATION_TAG,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    PAYLOAD_SHA256_TAG,
    USE_CASE_TAG,
    ModelVersion,
)

_IN_ONE_QUERY = 5_000
_ALL_ABOVE = 20_000  # beyond so many changes, one query for all champions is cheaper

_CHAMPIONS = f"""
FROM registered_model_tags u
JOIN registered_model_aliases a ON a.workspace = u.workspace AND a.name = u.name AND a.alias = ?
WHERE u.workspace = '{WORKSPACE}' AND u.key = ? AND u.value = ?
"""
_TAG = """
LEFT JOIN model_version_tags {t} ON {t}.workspace = v.workspace AND {t}.key = ?
AND {t}.name = v.name AND {t}.version = v.version
"""
_TAGS = (PARTITION_KEY_TAG, PARTITION_TAG, PAYLOAD_SHA256_TAG, LOCATION_TAG)
_DETAILS = f"""
SELECT v.name, v.version, t0.value, t1.value, t2.value,
  COALESCE(t3.value, v.storage_location, v.source)
FROM registered_model_aliases a
JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
{"".join(_TAG.format(t=f"t{number}") for number in range(len(_TAGS)))}
WHERE a.workspace = '{WORKSPACE}' AND a.alias = ? AND v.current_stage <> 'Deleted_Internal'
"""
_OF_USE_CASE = """
AND EXISTS (
  SELECT 1 FROM registered_model_tags u WHERE u.workspace = a.workspace AND u.name = a.name
  AND u.key = ? AND u.value = ?)
"""
_DIGEST = f"""
SELECT COUNT(*), SUM(hashtextextended(name || ':' || version, 0)::numeric)
FROM registered_model_aliases WHERE workspace = '{WORKSPACE}' AND alias = ?
"""


class ChampionFeed(Protocol):
    """Tells changes of champions.

    ``time_share`` is how much of the time, 0 to 1, asking may take.
    """

    time_share: float

    def poll(self, known: Mapping[str, int]) -> ChampionChanges:
        """What is new to somebody who knows these versions by registered name.

        Whoever asks a second time knows what the first answer told.

        Raises:
            RegistryError: the registry cannot be asked; a new feed is to be opened.
        """
        ...


def open_feed(registry: ReadableRegistry, use_case: str) -> ChampionFeed:
    """The feed of a registry's champions of ``use_case``.

    Raises:
        RegistryError: the registry cannot be reached.
    """
    if not registry.is_set_up():
        return EmptyFeed(registry)
    database = registry.database
    if database is None:
        return ListedFeed(registry, use_case)
    return SqlFeed(database, registry.uri, use_case)


class EmptyFeed:
    """Of a registry that nobody has written to yet: looks whether that is still so."""

    time_share = 0.1

    def __init__(self, registry: ReadableRegistry) -> None:
        self._registry = registry

    def poll(self, known: Mapping[str, int]) -> ChampionChanges:
        """Nothing; as ``ChampionFeed``."""
        if self._registry.is_set_up():
            raise RegistryError(f"registry {self._registry.uri} was set up meanwhile")
        return ChampionChanges()


class ListedFeed:
    """Lists all champions each time, by whatever calls the registry understands."""

    time_share = 0.1  # it asks again and again though nothing may have happened

    def __init__(self, registry: ReadableRegistry, use_case: str) -> None:
        self._registry = registry
        self._use_case = use_case

    def poll(self, known: Mapping[str, int]) -> ChampionChanges:
        """What differs from the list; as ``ChampionFeed``."""
        found = self._registry.champions(self._use_case)
        gone = known.keys() - {version.name for version in found}
        new = (version for version in found if known.get(version.name) != version.version)
        return ChampionChanges(tuple(map(_from_version, new)), tuple(sorted(gone)))


class SqlFeed:
    """Asks the tables of a ``database`` that we know; ``uri`` is the registry's."""

    time_share = 0.5  # a look takes long only where much has happened

    def __init__(self, database: RegistryDatabase, uri: str, use_case: str) -> None:
        self._database = database
        self._uri = uri
        self._use_case = use_case
        self._mark: object = None
        self._file = None if database.is_postgres else _file_of(uri)
        self._identity = _identity(self._file)

    def poll(self, known: Mapping[str, int]) -> ChampionChanges:
        """What changed; as ``ChampionFeed``. Half a second's work for 100,000 champions at most."""
        mark = self._read_mark()
        if mark is not None and mark == self._mark:
            return ChampionChanges()
        of_use_case = [CHAMPION, USE_CASE_TAG, self._use_case]
        pairs = self._query(f"SELECT a.name, a.version {_CHAMPIONS}", of_use_case)
        found: dict[str, int] = dict(pairs)
        new = sorted(name for name, version in found.items() if known.get(name) != version)
        changes = ChampionChanges(
            tuple(map(_from_row, self._details(new))), tuple(sorted(known.keys() - found.keys()))
        )
        self._mark = mark
        return changes

    def _details(self, names: Sequence[str]) -> Iterator[Row]:
        if len(names) > _ALL_ABOVE:
            wanted = set(names)
            asked = [*_TAGS, CHAMPION, USE_CASE_TAG, self._use_case]
            yield from (r for r in self._query(_DETAILS + _OF_USE_CASE, asked) if r[0] in wanted)
            return
        for start in range(0, len(names), _IN_ONE_QUERY):
            part = names[start : start + _IN_ONE_QUERY]
            among = f"AND a.name IN ({', '.join('?' * len(part))})"
            yield from self._query(_DETAILS + among, [*_TAGS, CHAMPION, *part])

    def _read_mark(self) -> object:
        """Something that stays the same only while no champion changes; None is never the same."""
        if self._file is None:
            return self._query(_DIGEST, [CHAMPION])[0]
        if _identity(self._file) != self._identity:
            raise unreachable(self._uri, "its file is gone, or was replaced by another")
        try:
            # SQLite's own count of what other connections committed, as this one sees it.
            return self._watching.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise unreachable(self._uri, error) from error

    @cached_property
    def _watching(self) -> sqlite3.Connection:
        address = f"{Path(self._file or '').absolute().as_uri()}?mode=ro"
        return sqlite3.connect(address, uri=True, check_same_thread=False)

    def _query(self, sql: str, parameters: Sequence[str]) -> list[Row]:
        try:
            return self._database.query(sql, parameters)
        except self._database.failures as error:
            raise unreachable(self._uri, error) from error


def _file_of(uri: str) -> str | None:
    return make_url(uri).database


def _identity(file: str | None) -> tuple[int, int] | None:
    if file is None:
        return None
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _from_row(row: Row) -> IndexedChampion:
    name, version, key, partition, sha256, location = row
    return IndexedChampion(name, version, key, partition or "", location, sha256 or "")


def _from_version(version: ModelVersion) -> IndexedChampion:
    return IndexedChampion(
        version.name,
        version.version,
        version.tags.get(PARTITION_KEY_TAG),
        version.tags.get(PARTITION_TAG, ""),
        version.location,
        version.tags.get(PAYLOAD_SHA256_TAG, ""),
    )
