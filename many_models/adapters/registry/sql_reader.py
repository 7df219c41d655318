"""Finding models in the tables of MLflow's database, one query for thousands of them.

Only reads, so it needs no rights to write. A version's tags come as one JSON object, put together
by the database: that halves the time, since rows are what costs here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.indexes import indexed, indexed_column, with_run_tag
from many_models.adapters.registry.reader import Details, as_histories
from many_models.adapters.registry.rows import WORKSPACE, Row
from many_models.core.registration import (
    CHAMPION,
    DAGSTER_RUN_TAG,
    LOCATION_TAG,
    PARTITION_TAG,
    USE_CASE_TAG,
    ModelVersion,
)
from many_models.core.rollback import ChampionHistory

_IN_ONE_QUERY = 5_000

_VERSIONS = """
SELECT v.name, v.version, v.run_id, COALESCE(v.storage_location, v.source), (
  SELECT {object} FROM model_version_tags t
  WHERE t.workspace = v.workspace AND t.name = v.name AND t.version = v.version)
FROM {start}
WHERE v.workspace = '{workspace}' AND v.current_stage <> 'Deleted_Internal' {conditions}
"""
_CHAMPION = """
registered_model_aliases a
JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
"""
# SQLite takes what stands on the left of CROSS JOIN first, and so looks up value by value.
_CHAMPIONS = """
(VALUES {values}) wanted CROSS JOIN registered_model_tags g
JOIN registered_model_aliases a ON a.workspace = g.workspace AND a.name = g.name
JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
"""
_OF_USE_CASE = """
AND EXISTS (
  SELECT 1 FROM registered_model_tags u WHERE u.workspace = g.workspace AND u.name = g.name
  AND u.key = ? AND u.value = ?)
"""
_TAGGED = """
model_version_tags w
JOIN model_versions v ON v.workspace = w.workspace AND v.name = w.name AND v.version = w.version
"""
_WITH_TAG = """
AND EXISTS (
  SELECT 1 FROM model_version_tags o WHERE o.workspace = v.workspace AND o.name = v.name
  AND o.version = v.version AND o.key = ? AND o.value = ?)
"""


class SqlReader:
    """Finds models of the registry at ``uri`` in its ``database``."""

    def __init__(self, database: RegistryDatabase, uri: str) -> None:
        self._database = database
        self._uri = uri
        self._is_postgres = database.is_postgres
        self._indexed = partial(indexed, is_postgres=database.is_postgres)
        self._object = (
            "json_object_agg(t.key, t.value)::text"
            if database.is_postgres
            else "json_group_object(t.key, t.value)"
        )

    def champions(self, use_case: str, partitions: Collection[str] | None) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        if partitions is None:
            key, wanted = USE_CASE_TAG, {use_case}
        else:
            key, wanted = PARTITION_TAG, set(partitions)
        column = indexed_column("g.value", is_postgres=self._is_postgres)
        found = (
            version
            for part in _parts(sorted(set(map(self._indexed, wanted))))
            for version in self._versions(
                _CHAMPIONS.format(values=", ".join(["(?)"] * len(part))),
                f"AND a.alias = ? AND g.key = ? AND {column} = wanted.column1 {_OF_USE_CASE}",
                [*part, CHAMPION, key, USE_CASE_TAG, use_case],
            )
        )
        return sorted(
            (
                v
                for v in found
                if v.tags.get(USE_CASE_TAG) == use_case and v.tags.get(key) in wanted
            ),
            key=lambda v: v.name,
        )

    def champion(self, name: str) -> ModelVersion | None:
        """Version under alias ``champion`` of the registered model ``name``."""
        found = self._versions(_CHAMPION, "AND a.name = ? AND a.alias = ?", [name, CHAMPION])
        return found[0] if found else None

    def versions(self, tags: Mapping[str, str]) -> list[ModelVersion]:
        """Every version that carries all of ``tags``, by name and version."""
        # By an index where there is one; last by the tag that most versions share.
        (key, value), *rest = sorted(
            tags.items(),
            key=lambda item: (item[0] == USE_CASE_TAG, item[0] != DAGSTER_RUN_TAG),
        )
        column = indexed_column("w.value", is_postgres=self._is_postgres)
        found = self._versions(
            _TAGGED,
            f"AND w.key = ? AND {column} = ? {with_run_tag(key)} {_WITH_TAG * len(rest)}",
            [key, self._indexed(value), *(text for item in rest for text in item)],
        )
        found = [version for version in found if version.tags.get(key) == value]
        return sorted(found, key=lambda v: (v.name, v.version))

    def tagged(self, use_case: str, key: str) -> list[ModelVersion]:
        """Every version of a use case with a tag ``key``, whatever it says, by name and version."""
        found = self._versions(_TAGGED, f"AND w.key = ? {_WITH_TAG}", [key, USE_CASE_TAG, use_case])
        return sorted(found, key=lambda v: (v.name, v.version))

    def histories(self, names: Collection[str]) -> dict[str, ChampionHistory]:
        """All versions, and the champion, of those of ``names`` that are registered models."""
        champions: dict[str, int] = {}
        versions: dict[str, list[ModelVersion]] = {}
        select = (
            f"SELECT name, version FROM registered_model_aliases WHERE workspace = '{WORKSPACE}'"
        )
        for part in _parts(sorted(set(names))):
            among = f"IN ({_marks(part)})"
            # The champions first: each is then among the versions, whatever is written meanwhile.
            sql = f"{select} AND alias = ? AND name {among}"
            champions.update(self._query(sql, [CHAMPION, *part]))
            for version in self._versions("model_versions v", f"AND v.name {among}", part):
                versions.setdefault(version.name, []).append(version)
        return as_histories(versions, champions)

    def metrics(self, versions: Sequence[ModelVersion]) -> dict[str, dict[str, float]]:
        """Metrics by ``run_id``; infinity comes back as the largest float."""
        run_ids = sorted({version.run_id for version in versions})
        found: dict[str, dict[str, float]] = {
            run_id: {} for (run_id,) in self._of("SELECT run_uuid FROM runs", run_ids)
        }
        rows = self._of("SELECT run_uuid, key, value, is_nan FROM latest_metrics", run_ids)
        for run_id, key, value, is_nan in rows:
            found[run_id][key] = math.nan if is_nan else value
        return found

    def details(self, versions: Sequence[ModelVersion]) -> dict[str, Details]:
        """What belongs to ``versions``, by ``run_id``; those whose run is gone are left out."""
        metrics = self.metrics(versions)
        params: dict[str, dict[str, str]] = {run_id: {} for run_id in metrics}
        for run_id, key, value in self._of("SELECT run_uuid, key, value FROM params", params):
            params[run_id][key] = value
        names = sorted({version.name for version in versions})
        tags: dict[str, set[str]] = {name: set() for name in names}
        select = f"SELECT name, key FROM registered_model_tags WHERE workspace = '{WORKSPACE}'"
        for part in _parts(names):
            for name, key in self._query(f"{select} AND name IN ({_marks(part)})", part):
                tags[name].add(key)
        return {
            v.run_id: Details(metrics[v.run_id], params[v.run_id], frozenset(tags[v.name]))
            for v in versions
            if v.run_id in metrics
        }

    def _versions(
        self, start: str, conditions: str, parameters: Sequence[str]
    ) -> list[ModelVersion]:
        sql = _VERSIONS.format(
            object=self._object, start=start, conditions=conditions, workspace=WORKSPACE
        )
        found = []
        for name, number, run_id, stored, text in self._query(sql, parameters):
            tags = json.loads(text) if text else {}
            location = tags.get(LOCATION_TAG) or stored
            found.append(ModelVersion(name, number, run_id or "", location, tags))
        return found

    def _of(self, select: str, run_ids: Collection[str]) -> Iterator[Row]:
        for part in _parts(sorted(run_ids)):
            yield from self._query(f"{select} WHERE run_uuid IN ({_marks(part)})", part)

    def _query(self, sql: str, parameters: Sequence[str]) -> list[Row]:
        try:
            return self._database.query(sql, parameters)
        except self._database.failures as error:
            raise unreachable(self._uri, error) from error


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _IN_ONE_QUERY):
        yield items[start : start + _IN_ONE_QUERY]


def _marks(items: Sequence[str]) -> str:
    return ", ".join("?" * len(items))
