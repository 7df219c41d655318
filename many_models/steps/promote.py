"""Judge and promote: a verdict for every trained model, and the qualified ones to production.

Judging writes verdicts and changes nothing else. Promoting acts on verdicts alone, and refuses a
partition whose last training run has none.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from many_models.adapters.mlflow_registry import MlflowRegistry
from many_models.adapters.promotion import promote
from many_models.core.errors import RegistryError, StoreError
from many_models.core.promotion import Challenger, Verdict, judge, share_qualified
from many_models.core.registration import (
    TRAINING_RUN_TAG,
    TRAINING_VERSION_TAG,
    ModelVersion,
)
from many_models.core.use_case import UseCase
from many_models.steps.results import Results

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PartitionVerdict:
    """Verdicts of one partition; ``accepted`` when enough of its models qualify."""

    run_id: str
    judged: int
    qualified: int
    share: float
    accepted: bool


@dataclass(frozen=True, slots=True)
class PromotedPartition:
    """What promotion did in one partition."""

    promoted: int
    unchanged: int
    failed: int
    champions: int


def judge_partitions(
    use_case: UseCase, partitions: Sequence[str], production: MlflowRegistry, results: Results
) -> dict[str, PartitionVerdict]:
    """Judge the last training run of each partition by the use case's rules, and keep the verdicts.

    Raises:
        StoreError: a partition was never trained.
    """
    ledger = results.latest("ledger", partitions).to_pylist()
    runs = {row["partition"]: row["run_id"] for row in ledger}
    if untrained := [name for name in partitions if name not in runs]:
        raise StoreError(f"partition {untrained[0]!r} has no ledger; materialize trained_models")
    champions = {c.name: c for c in production.champions(use_case.name, partitions)}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in partitions}
    summaries = {}
    decided_at = datetime.now(UTC).replace(tzinfo=None)
    for row in ledger:
        if row["status"] == "trained":
            verdict = judge(_challenger(row, champions.get(row["model_name"])), use_case.promotion)
            rows[row["partition"]].append(_verdict_row(row, verdict, champions, decided_at))
    for name in partitions:
        summaries[name] = _summarise(use_case, runs[name], rows[name])
        for row in rows[name]:
            row["accepted"] = row["qualified"] and summaries[name].accepted
            if row["qualified"] and not row["accepted"]:
                row["reason"] = f"only {summaries[name].share:.1%} of the partition qualifies"
    schema = verdict_schema(use_case)
    table = pa.Table.from_pylist([row for name in partitions for row in rows[name]], schema=schema)
    where = {"partition": sorted(set(partitions)), "run_id": sorted(set(runs.values()))}
    results.replace("verdicts", table, where)
    results.create_views("verdicts", "trained_at")
    return summaries


def _challenger(row: dict[str, Any], champion: ModelVersion | None) -> Challenger:
    return Challenger(
        group_key=row["group_key"],
        candidate=row["candidate"],
        score=row["score"],
        baseline_score=row["baseline_score"],
        coverage=row["coverage"],
        champion_score=float(champion.tags["score"]) if champion else None,
    )


def _verdict_row(
    row: dict[str, Any],
    verdict: Verdict,
    champions: Mapping[str, ModelVersion],
    decided_at: datetime,
) -> dict[str, Any]:
    champion = champions.get(row["model_name"])
    return {
        **row,
        "qualified": verdict.qualified,
        "reason": verdict.reason,
        "champion_score": float(champion.tags["score"]) if champion else None,
        "champion_version": champion.version if champion else None,
        "decided_at": decided_at,
    }


def _summarise(use_case: UseCase, run_id: str, rows: Sequence[dict[str, Any]]) -> PartitionVerdict:
    verdicts = [Verdict(row["group_key"], row["qualified"], row["reason"]) for row in rows]
    share = share_qualified(verdicts)
    return PartitionVerdict(
        run_id=run_id,
        judged=len(verdicts),
        qualified=sum(verdict.qualified for verdict in verdicts),
        share=share,
        accepted=share >= use_case.promotion.min_share,
    )


def verdict_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the verdicts table: one row per trained model."""
    return pa.schema(
        [
            ("run_id", pa.string()),
            ("trained_at", pa.timestamp("us")),
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
            ("model_name", pa.string()),
            ("model_version", pa.int64()),
            ("model_run_id", pa.string()),
            ("candidate", pa.string()),
            ("score", pa.float64()),
            ("baseline_score", pa.float64()),
            ("champion_score", pa.float64()),
            ("champion_version", pa.int64()),
            ("coverage", pa.float64()),
            ("qualified", pa.bool_()),
            ("accepted", pa.bool_()),
            ("reason", pa.string()),
            ("decided_at", pa.timestamp("us")),
        ]
    )


def promote_partitions(
    use_case: UseCase,
    partitions: Sequence[str],
    *,
    training: MlflowRegistry,
    production: MlflowRegistry,
    results: Results,
) -> dict[str, PromotedPartition]:
    """Copy the accepted models of each partition's last training run to production as champions.

    Raises:
        RegistryError: a partition's last training run has no verdict; nothing is promoted then.
    """
    accepted = _accepted(partitions, results)
    wanted = {(row["model_name"], row["model_version"]) for row in accepted}
    versions = [
        version
        for run_id in sorted({row["run_id"] for row in accepted})
        for version in training.versions(use_case.name, {"dagster_run_id": run_id})
        if (version.name, version.version) in wanted
    ]
    reasons = {
        row["model_name"]: {"verdict": "accepted", "decided_at": str(row["decided_at"])}
        for row in accepted
    }
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    partition_of = {row["model_name"]: row["partition"] for row in accepted}
    for outcome in promote(training, production, versions, reasons):
        counts[partition_of[outcome.name]][outcome.outcome] += 1
    champions: dict[str, int] = defaultdict(int)
    for champion in production.champions(use_case.name, partitions):
        champions[champion.tags["partition"]] += 1
    return {
        name: PromotedPartition(
            promoted=counts[name]["promoted"],
            unchanged=counts[name]["unchanged"],
            failed=counts[name]["failed"],
            champions=champions[name],
        )
        for name in partitions
    }


def _accepted(partitions: Sequence[str], results: Results) -> list[dict[str, Any]]:
    """Verdict rows of the models that may go to production."""
    ledger = results.latest("ledger", partitions).to_pylist()
    runs = {row["partition"]: row["run_id"] for row in ledger}
    needed = {row["partition"] for row in ledger if row["status"] == "trained"}
    verdicts = [
        row
        for row in results.latest("verdicts", partitions).to_pylist()
        if row["run_id"] == runs.get(row["partition"])
    ]
    judged = {row["partition"] for row in verdicts}
    for name in partitions:
        if name not in runs or (name in needed and name not in judged):
            raise RegistryError(
                f"partition {name!r} has no verdict on its last training run; materialize "
                "trained_models with its check promotion_rules, then promote again"
            )
    return [row for row in verdicts if row["accepted"]]


def find_unqualified(
    use_case: UseCase, partitions: Sequence[str], production: MlflowRegistry, results: Results
) -> dict[str, list[str]]:
    """Names of champions without a passing verdict, by partition: there must be none."""
    passing: set[tuple[str, ...]] = set()
    if results.store.has_table(results.name("verdicts")):
        rows = results.store.query(
            f'SELECT model_name, model_version, model_run_id FROM "{results.name("verdicts")}" '
            "WHERE accepted"
        )
        passing = {tuple(str(value) for value in row.values()) for row in rows.to_pylist()}
    unqualified: dict[str, list[str]] = {name: [] for name in partitions}
    for champion in production.champions(use_case.name, partitions):
        tags = champion.tags
        origin = champion.name, tags.get(TRAINING_VERSION_TAG, ""), tags.get(TRAINING_RUN_TAG, "")
        if origin not in passing:
            unqualified[tags["partition"]].append(champion.name)
    return unqualified
