"""Finding models in the tables of MLflow's database, one query for thousands of them.

Only reads, so it needs no rights to write. A version's tags come as one JSON object, put together
by the database: that halves the time, since rows are what costs here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from many_models.adapters.registry.connection import unreachable
from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.reader import Details, as_histories
from many_models.adapters.registry.rows import WORKSPACE, Row
from many_models.core.registration import (
    CHAMPION,
    LOCATION_TAG,
    PARTITION_TAG,
    USE_CASE_TAG,
    ModelVersion,
)
from many_models.core.rollback import ChampionHistory

_IN_ONE_QUERY = 5_000

_VERSIONS = """
SELECT v.name, v.version, v.run_id, COALESCE(v.storage_location, v.source), {object}
FROM {start} JOIN model_version_tags t
  ON t.workspace = v.workspace AND t.name = v.name AND t.version = v.version
WHERE v.workspace = '{workspace}' AND v.current_stage <> 'Deleted_Internal' {conditions}
GROUP BY v.name, v.version, v.run_id, v.storage_location, v.source
"""
_CHAMPION = """
registered_model_aliases a
JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
"""
_CHAMPIONS = f"""
{_CHAMPION} JOIN registered_model_tags u ON u.workspace = a.workspace AND u.name = a.name
"""
_OF_PARTITION = """
JOIN registered_model_tags p ON p.workspace = u.workspace AND p.name = u.name
"""
_WITH_TAG = """
AND EXISTS (
  SELECT 1 FROM model_version_tags w WHERE w.workspace = v.workspace AND w.name = v.name
  AND w.version = v.version AND w.key = ? AND w.value = ?)
"""
_FIRST_TAG = """
(SELECT w.workspace, w.name, w.version FROM model_version_tags w
 WHERE w.workspace = '{workspace}' AND w.key = ? AND w.value = ?) f
JOIN model_versions v ON v.workspace = f.workspace AND v.name = f.name AND v.version = f.version
"""
_TAGGED = """
(SELECT w.workspace, w.name, w.version FROM model_version_tags w
 WHERE w.workspace = '{workspace}' AND w.key = ?) f
JOIN model_versions v ON v.workspace = f.workspace AND v.name = f.name AND v.version = f.version
"""


class SqlReader:
    """Finds models of the registry at ``uri`` in its ``database``."""

    def __init__(self, database: RegistryDatabase, uri: str) -> None:
        self._database = database
        self._uri = uri
        self._object = (
            "json_object_agg(t.key, t.value)::text"
            if database.is_postgres
            else "json_group_object(t.key, t.value)"
        )

    def champions(self, use_case: str, partitions: Collection[str] | None) -> list[ModelVersion]:
        """Versions under alias ``champion``, sorted by name; of all partitions, or of some."""
        conditions = "AND u.key = ? AND u.value = ? AND a.alias = ?"
        parameters = [USE_CASE_TAG, use_case, CHAMPION]
        if partitions is None:
            found = self._versions(_CHAMPIONS, conditions, parameters)
        else:
            found = [
                version
                for part in _parts(sorted(set(partitions)))
                for version in self._versions(
                    _CHAMPIONS + _OF_PARTITION,
                    f"{conditions} AND p.key = ? AND p.value IN ({_marks(part)})",
                    [*parameters, PARTITION_TAG, *part],
                )
            ]
        wanted = None if partitions is None else set(partitions)
        return sorted(
            (
                v
                for v in found
                if v.tags.get(USE_CASE_TAG) == use_case
                and (wanted is None or v.tags.get(PARTITION_TAG) in wanted)
            ),
            key=lambda v: v.name,
        )

    def champion(self, name: str) -> ModelVersion | None:
        """Version under alias ``champion`` of the registered model ``name``."""
        found = self._versions(_CHAMPION, "AND a.name = ? AND a.alias = ?", [name, CHAMPION])
        return found[0] if found else None

    def versions(self, tags: Mapping[str, str]) -> list[ModelVersion]:
        """Every version that carries all of ``tags``, by name and version."""
        # The use case is the tag that most versions share: another one leads to fewer.
        first, *rest = sorted(tags.items(), key=lambda item: item[0] == USE_CASE_TAG)
        found = self._versions(
            _FIRST_TAG.format(workspace=WORKSPACE),
            _WITH_TAG * len(rest),
            [*first, *(text for item in rest for text in item)],
        )
        return sorted(found, key=lambda v: (v.name, v.version))

    def tagged(self, use_case: str, key: str) -> list[ModelVersion]:
        """Every version of a use case with a tag ``key``, whatever it says, by name and version."""
        found = self._versions(
            _TAGGED.format(workspace=WORKSPACE), _WITH_TAG, [key, USE_CASE_TAG, use_case]
        )
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
            tags = json.loads(text)
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
