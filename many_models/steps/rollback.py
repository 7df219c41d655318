"""Roll back: champions give way to those that they replaced, for one model, a partition or a run.

The production registry's tags are the truth about a rollback; table ``rollbacks`` says the same to
those who read SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import RegistryError, UseCaseError
from many_models.core.keys import model_name, parse_group_key
from many_models.core.registration import (
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    PROMOTED_BY_TAG,
    ROLLBACK_ID_TAG,
    ROLLBACK_REASON_TAG,
    ROLLED_BACK_AT_TAG,
    ROLLED_BACK_BY_TAG,
    ROLLED_BACK_TO_TAG,
    ModelVersion,
)
from many_models.core.result_tables.fact_schemas import ROLLBACKS
from many_models.core.rollback import (
    BASELINE,
    ChampionHistory,
    Rollback,
    RollbackPlan,
    latest_promotion,
    plan_rollback,
    promotion_run,
)
from many_models.core.use_case import AnyUseCase
from many_models.steps.champions import copy_champions
from many_models.steps.results import Results

NAMES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Selection:
    """What to undo: the last promotion of one key, the latest of a partition, or a whole run's."""

    kind: Literal["key", "partition", "run"]
    value: str

    @classmethod
    def of(
        cls, *, key: str | None = None, partition: str | None = None, run: str | None = None
    ) -> Selection:
        """The one of the three that is given.

        Raises:
            UseCaseError: none or several are.
        """
        match key, partition, run:
            case str(), None, None:
                return cls("key", key)
            case None, str(), None:
                return cls("partition", partition)
            case None, None, str():
                return cls("run", run)
        raise UseCaseError("say what to roll back: a key, a partition or a run, and only one")


def read_history(use_case: AnyUseCase, key: str, production: ReadableRegistry) -> ChampionHistory:
    """Every version that the model of one composite key had in production.

    Raises:
        UseCaseError: the key does not name this use case's columns.
        RegistryError: it never had any.
    """
    name = model_name(use_case.name, use_case.keys, parse_group_key(key, use_case.keys))
    if (found := production.histories([name]).get(name)) is None:
        raise RegistryError(
            f"no model with key {key!r} was ever promoted; `many-models models {use_case.name}` "
            "lists the champions, and the ledger says why a group has no model"
        )
    return found


def plan(
    use_case: AnyUseCase, selection: Selection, rollback_id: str, production: MlflowRegistry
) -> RollbackPlan:
    """What rolling back ``selection`` changes; nothing more where this rollback was carried out.

    Raises:
        UseCaseError: the key does not name this use case's columns.
        RegistryError: the key, partition or run is unknown, or nothing of it can be rolled back.
    """
    tried = production.versions(use_case.name, {ROLLBACK_ID_TAG: rollback_id})
    if tried and selection.kind == "partition":
        # What is the latest promotion now need not be the one that was being undone.
        chosen = _of_partition(use_case, selection.value, promotion_run(tried[0]), production)
    elif selection.kind == "partition":
        chosen = _of_partition(use_case, selection.value, None, production)
    elif selection.kind == "run":
        chosen = _of_run(use_case, selection.value, production)
    else:
        history = read_history(use_case, selection.value, production)
        champion = history.version(history.champion)
        chosen = [] if champion is None else [champion]
    histories = production.histories({version.name for version in chosen})
    found = plan_rollback(chosen, histories, rollback_id)
    if not found.changes and not tried:
        raise RegistryError(_nothing(selection, found))
    return found


def carry_out(
    use_case: AnyUseCase,
    found: RollbackPlan,
    rollback: Rollback,
    *,
    production: MlflowRegistry,
    results: Results,
) -> int:
    """Change the champions as planned, and write the rollback down; returns its models.

    These include what an earlier try of the same rollback changed.

    Raises:
        RegistryError: a champion has changed since it was planned.
    """
    if found.changes:
        production.roll_back(found.changes, rollback)
    versions = production.versions(use_case.name, {ROLLBACK_ID_TAG: rollback.id})
    marked = [_row(version) for version in versions if ROLLED_BACK_AT_TAG in version.tags]
    rows = pa.Table.from_pylist(marked, schema=ROLLBACKS)
    count = results.replace("rollbacks", rows, {"rollback_id": rollback.id})
    copy_champions(use_case, _partitions(versions, found), production, results)
    return count


def _partitions(versions: Sequence[ModelVersion], found: RollbackPlan) -> set[str]:
    """Partitions whose champions a rollback has changed, or brought back."""
    gone = {version.tags.get(PARTITION_TAG) for version in versions}
    back = {change.to_partition for change in found.changes}
    return {name for name in gone | back if name is not None}


def _of_partition(
    use_case: AnyUseCase, partition: str, run_id: str | None, production: MlflowRegistry
) -> list[ModelVersion]:
    champions = production.champions(use_case.name, [partition])
    if run_id is not None:
        return [champion for champion in champions if promotion_run(champion) == run_id]
    if not champions and not production.versions(use_case.name, {PARTITION_TAG: partition}):
        there = {c.tags.get(PARTITION_TAG, "") for c in production.champions(use_case.name)}
        raise RegistryError(
            f"no model of partition {partition!r} was ever promoted; {_listed(there)}"
        )
    return latest_promotion(champions)


def _of_run(use_case: AnyUseCase, run_id: str, production: MlflowRegistry) -> list[ModelVersion]:
    for tag in (PROMOTED_BY_TAG, DAGSTER_RUN_TAG):
        if found := production.versions(use_case.name, {tag: run_id}):
            return found
    runs = {promotion_run(champion) for champion in production.champions(use_case.name)}
    raise RegistryError(
        f"no model in production was promoted or trained by run {run_id!r}; "
        + _listed(runs, "the champions are of runs")
    )


def _listed(values: Collection[str], what: str = "there are champions in") -> str:
    shown = ", ".join(sorted(values)[:NAMES_SHOWN])
    return f"{what} {shown or 'none'}" + (" ..." if len(values) > NAMES_SHOWN else "")


def _nothing(selection: Selection, found: RollbackPlan) -> str:
    what = f"nothing to roll back of {selection.kind} {selection.value!r}: "
    if not found.superseded and not found.undone:
        return what + "it has no champion that could go"
    parts = {
        "have another champion by now": found.superseded,
        "were rolled back before": found.undone,
    }
    told = " and ".join(f"{len(names)} models {text}" for text, names in parts.items() if names)
    return f"{what}{told}. Roll back the champion that is not wanted by its key or run"


def _row(version: ModelVersion) -> dict[str, object]:
    tags = version.tags
    target = tags.get(ROLLED_BACK_TO_TAG, BASELINE)
    at = datetime.fromisoformat(tags[ROLLED_BACK_AT_TAG])
    return {
        "rollback_id": tags[ROLLBACK_ID_TAG],
        "rolled_back_at": at.astimezone(UTC).replace(tzinfo=None),
        "rolled_back_by": tags.get(ROLLED_BACK_BY_TAG),
        "reason": tags.get(ROLLBACK_REASON_TAG),
        "partition": tags.get(PARTITION_TAG),
        "group_key": tags.get(PARTITION_KEY_TAG),
        "model_name": version.name,
        "from_version": version.version,
        "to_version": None if target == BASELINE else int(target),
    }
