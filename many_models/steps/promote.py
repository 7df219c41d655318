"""Promote: the models with a passing verdict go to production, and nothing else does.

Promoting acts on verdicts alone, and refuses a partition whose last training run has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import ManyModelsError, RegistryError, raise_failed
from many_models.core.registration import DAGSTER_RUN_TAG, TRAINING_RUN_TAG, TRAINING_VERSION_TAG
from many_models.core.use_case import AnyUseCase
from many_models.steps.champions import copy_champions
from many_models.steps.results import PARTITIONS_IN_A_QUERY, Results


@dataclass(frozen=True, slots=True)
class PromotedPartition:
    """What promotion did in one partition.

    ``rolled_back`` are accepted models that were champions and were rolled back: train them again.
    A partition is ``overtaken`` when another run has trained it since and has yet to judge it:
    promoting is left to that run.
    """

    promoted: int
    unchanged: int
    failed: int
    champions: int
    rolled_back: int = 0
    overtaken: bool = False


def promote_partitions(
    use_case: AnyUseCase,
    partitions: Sequence[str],
    *,
    training: MlflowRegistry,
    production: MlflowRegistry,
    results: Results,
    run_id: str | None = None,
    trained_by: Collection[str] = (),
) -> dict[str, PromotedPartition]:
    """Copy the accepted models of each partition's last training run to production as champions.

    ``run_id`` is the run that promotes; the models tell it from then on. ``trained_by`` are the
    runs whose models it means to promote: itself, and those that it tries again.

    Raises:
        RegistryError: the partition's last training run has no verdict, and none of ``trained_by``
            has trained it before; nothing is promoted then.
        PartitionsError: that is so of some of several; the others' models are promoted.
    """
    verdicts, unjudged = _verdicts(partitions, results)
    overtaken = _overtaken(unjudged, trained_by, results)
    errors = {name: _without_verdict(name) for name in unjudged if name not in overtaken}
    asked, partitions = len(partitions), [name for name in partitions if name not in errors]
    if not partitions:
        raise_failed(errors, {}, asked)
    accepted = [row for row in verdicts if row["accepted"]]
    wanted = {(row["model_name"], row["model_version"]) for row in accepted}
    versions = [
        version
        for trained_by in sorted({row["run_id"] for row in accepted})
        for version in training.versions(use_case.name, {DAGSTER_RUN_TAG: trained_by})
        if (version.name, version.version) in wanted
    ]
    reasons = {
        row["model_name"]: {"verdict": "accepted", "decided_at": str(row["decided_at"])}
        for row in accepted
    }
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    partition_of = {row["model_name"]: row["partition"] for row in accepted}
    for outcome in promote(training, production, versions, reasons, run_id):
        counts[partition_of[outcome.name]][outcome.outcome] += 1
    champions: dict[str, int] = defaultdict(int)
    for champion in production.champions(use_case.name, partitions):
        champions[champion.tags["partition"]] += 1
    copy_champions(use_case, partitions, production, results)
    done = {
        name: PromotedPartition(
            promoted=counts[name]["promoted"],
            unchanged=counts[name]["unchanged"],
            failed=counts[name]["failed"],
            champions=champions[name],
            rolled_back=counts[name]["rolled_back"],
            overtaken=name in overtaken,
        )
        for name in partitions
    }
    raise_failed(errors, done, asked)
    return done


def _verdicts(
    partitions: Sequence[str], results: Results
) -> tuple[list[dict[str, Any]], list[str]]:
    """Verdict rows on each partition's last training run, and the partitions that lack them."""
    ledger = results.latest("ledger", partitions).to_pylist()
    runs = {row["partition"]: row["run_id"] for row in ledger}
    needed = {row["partition"] for row in ledger if row["status"] == "trained"}
    verdicts = [
        row
        for row in results.latest("verdicts", partitions).to_pylist()
        if row["run_id"] == runs.get(row["partition"])
    ]
    judged = {row["partition"] for row in verdicts}
    unjudged = [
        name for name in partitions if name not in runs or (name in needed and name not in judged)
    ]
    return verdicts, unjudged


def _overtaken(unjudged: Sequence[str], trained_by: Collection[str], results: Results) -> set[str]:
    """Those of ``unjudged`` that one of these runs had trained before another did."""
    if not unjudged or not trained_by:
        return set()
    named = {f"r{number}": run_id for number, run_id in enumerate(trained_by)}
    among = ", ".join(f":{name}" for name in named)
    ledger = results.name("ledger")
    rows = results.store.query(
        f'SELECT DISTINCT "partition" FROM "{ledger}" WHERE run_id IN ({among})', named
    )
    return set(unjudged) & set(rows["partition"].to_pylist())


def _without_verdict(partition: str) -> ManyModelsError:
    return RegistryError(
        f"partition {partition!r} has no verdict on its last training run; materialize "
        "trained_models with its check promotion_rules, then promote again"
    )


def find_unqualified(
    use_case: AnyUseCase, partitions: Sequence[str], production: ReadableRegistry, results: Results
) -> dict[str, list[str]]:
    """Names of champions without a passing verdict, by partition: there must be none."""
    sql = (
        f'SELECT model_name, model_version, model_run_id FROM "{results.name("verdicts")}" '
        "WHERE accepted"
    )
    named: dict[str, str] = {}
    if len(partitions) <= PARTITIONS_IN_A_QUERY:  # else it is about all, or nearly so
        named = {f"p{number}": name for number, name in enumerate(partitions)}
        sql += f' AND "partition" IN ({", ".join(f":{name}" for name in named) or "NULL"})'
    rows = results.store.query(sql, named)
    passing = {tuple(str(value) for value in row.values()) for row in rows.to_pylist()}
    unqualified: dict[str, list[str]] = {name: [] for name in partitions}
    for champion in production.champions(use_case.name, partitions):
        tags = champion.tags
        origin = champion.name, tags.get(TRAINING_VERSION_TAG, ""), tags.get(TRAINING_RUN_TAG, "")
        if origin not in passing:
            unqualified[tags["partition"]].append(champion.name)
    return unqualified
