"""Judge: a verdict, with its reasons, on every model of a training run.

Judging writes verdicts and changes nothing else; what follows from them is in ``promote``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.errors import ManyModelsError, StoreError, raise_failed
from many_models.core.forecast.use_case import POOLED, UseCase
from many_models.core.promotion import Challenger, Comparison, Verdict, judge, share_sound
from many_models.core.registration import TRAINING_VERSION_TAG, ModelVersion
from many_models.core.result_tables.fact_schemas import verdict_schema
from many_models.core.shapes import shape_of
from many_models.core.tabular.rivalry import Duel
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase
from many_models.steps.champion_review import measure_champions
from many_models.steps.results import Results
from many_models.steps.row_rivals import compare_on_rows

Row = dict[str, Any]
_SAME_DATA = {
    "forecast": "the backtest on the same folds",
    "regression": "the same rows held out",
    "classification": "the same rows held out",
}


@dataclass(frozen=True, slots=True)
class PartitionVerdict:
    """Verdicts of one partition; ``accepted`` when enough of its models are good enough.

    These are ``share`` of all that were judged: those that ``qualified``, and those to which
    nothing but their champion is superior. ``broken`` counts the models that each rule is against.
    """

    run_id: str
    judged: int
    qualified: int
    share: float
    accepted: bool
    broken: Mapping[str, int] = field(default_factory=dict)


def judge_partitions(
    use_case: AnyUseCase,
    partitions: Sequence[str],
    *,
    spark: Callable[[], SparkSession],
    lake: Lake,
    production: ReadableRegistry,
    results: Results,
) -> dict[str, PartitionVerdict]:
    """Judge the last training run of each partition by the use case's rules, and keep the verdicts.

    Spark is asked for only where a champion must predict data that it was not judged on.

    Raises:
        StoreError: the partition was never trained.
        PartitionsError: some of several were never trained; the others are judged.
    """
    ledger = results.latest("ledger", partitions).to_pylist()
    runs = {row["partition"]: row["run_id"] for row in ledger}
    errors: dict[str, ManyModelsError] = {
        name: StoreError(f"partition {name!r} has no ledger; materialize trained_models")
        for name in partitions
        if name not in runs
    }
    asked, partitions = len(partitions), [name for name in partitions if name in runs]
    if not partitions:
        raise_failed(errors, {}, asked)
    trained = [row for row in ledger if row["status"] == "trained"]
    champions = {c.name: c for c in production.champions(use_case.name, partitions)}
    rivals = _pair(trained, champions)
    comparisons = _compare(use_case, rivals, spark=spark, lake=lake, production=production)
    verdicts: dict[str, list[tuple[Row, Verdict]]] = {name: [] for name in partitions}
    for row in trained:
        challenger = _challenger(row, comparisons.get(row["model_name"]), use_case)
        verdict = judge(challenger, use_case.promotion)
        verdicts[row["partition"]].append((row, verdict))
    summaries = {name: _summarise(use_case, runs[name], verdicts[name]) for name in partitions}
    rows = [
        _verdict_row(row, verdict, comparisons.get(row["model_name"]), summaries[name])
        for name in partitions
        for row, verdict in verdicts[name]
    ]
    pooled = results.latest("pooled", partitions).to_pylist()
    rows += [
        _judge_pooled(use_case, row, champions)
        for row in pooled
        if row["run_id"] == runs[row["partition"]] and row["model_version"] is not None
    ]
    _write(use_case, {name: runs[name] for name in partitions}, rows, results)
    raise_failed(errors, summaries, asked)
    return summaries


def _write(
    use_case: AnyUseCase, runs: Mapping[str, str], rows: Sequence[Row], results: Results
) -> None:
    """Replace the verdicts on each partition's last training run."""
    judged: dict[str, list[str]] = defaultdict(list)  # by run: one, unless others trained since
    of_run: dict[str, list[Row]] = defaultdict(list)
    for name, run_id in sorted(runs.items()):
        judged[run_id].append(name)
    for row in rows:
        of_run[row["run_id"]].append(row)
    for run_id, partitions in judged.items():
        table = pa.Table.from_pylist(of_run[run_id], schema=verdict_schema(use_case))
        results.replace("verdicts", table, {"partition": partitions, "run_id": run_id})


def _pair(
    trained: Sequence[Row], champions: Mapping[str, ModelVersion]
) -> list[tuple[Row, ModelVersion]]:
    """Trained models with the champions that they must beat; none has to beat itself."""
    return [
        (row, champion)
        for row in trained
        if (champion := champions.get(row["model_name"]))
        and champion.tags.get(TRAINING_VERSION_TAG) != str(row["model_version"])
    ]


def _judge_pooled(use_case: AnyUseCase, row: Row, champions: Mapping[str, ModelVersion]) -> Row:
    """Verdict row of a partition's pooled model: by the same rules, whatever its groups' models."""
    row = {**row, "candidate": POOLED, "group_key": None, "latest_mae": None}
    if row["score"] is None:
        verdict, comparison = Verdict("", False, "no group was judged by which it could be"), None
    else:
        rivals = _pair([row], champions)
        basis = "each one's own backtest"
        comparison = _as_judged(row, rivals[0][1], use_case.metric, basis) if rivals else None
        verdict = judge(_challenger(row, comparison, use_case), use_case.promotion)
    alone = PartitionVerdict(row["run_id"], 1, int(verdict.qualified), 1.0, True)
    return _verdict_row(row, verdict, comparison, alone)


def _compare(
    use_case: AnyUseCase,
    rivals: Sequence[tuple[Row, ModelVersion]],
    *,
    spark: Callable[[], SparkSession],
    lake: Lake,
    production: ReadableRegistry,
) -> dict[str, Comparison | None]:
    """By name of the model: both as they were judged on the same data, or measured on it anew.

    Where that cannot be done, each as it was judged on its own, provided that by the same metric.
    """
    names = shape_of(use_case).judged_on
    alike: list[tuple[Row, ModelVersion]] = []
    elsewhere: list[tuple[Row, ModelVersion]] = []
    for row, champion in rivals:
        same = all(champion.tags.get(name) == str(row[name]) for name in names)
        (alike if same else elsewhere).append((row, champion))
    metric, basis = use_case.metric, _SAME_DATA[use_case.problem]
    found = {r["model_name"]: _as_judged(r, c, metric, basis) for r, c in alike}
    if not elsewhere:
        return found
    if isinstance(use_case, TabularUseCase):
        duels = compare_on_rows(
            use_case, elsewhere, spark=spark(), lake=lake, production=production
        )
        return found | {r["model_name"]: _by_rows(r, c, metric, duels) for r, c in elsewhere}
    assert isinstance(use_case, UseCase)
    champions = [champion for _, champion in elsewhere]
    errors = measure_champions(use_case, champions, spark=spark(), lake=lake, production=production)
    return found | {r["model_name"]: _by_latest_fold(r, c, metric, errors) for r, c in elsewhere}


def _as_judged(row: Row, champion: ModelVersion, metric: str, basis: str) -> Comparison | None:
    """By their own scores; not at all where those are of different metrics."""
    if champion.tags.get("metric") != metric:
        return None
    return Comparison(row["score"], float(champion.tags["score"]), basis)


def _by_latest_fold(
    row: Row, champion: ModelVersion, metric: str, errors: Mapping[str, float]
) -> Comparison | None:
    if (error := errors.get(row["group_key"])) is not None and row["latest_mae"] is not None:
        return Comparison(row["latest_mae"], error, "the mean absolute error in the latest fold")
    return _as_judged(
        row, champion, metric, "each one's own backtest, as the champion saw this data"
    )


def _by_rows(
    row: Row, champion: ModelVersion, metric: str, duels: Mapping[str, Duel]
) -> Comparison | None:
    duel = duels.get(row["group_key"])
    if duel and duel.challenger is not None and duel.champion is not None:
        return Comparison(duel.challenger, duel.champion, duel.basis)
    why = duel.basis if duel else "its group has no rows any more"
    return _as_judged(row, champion, metric, f"each one's own holdout, as {why}")


def _challenger(row: Row, comparison: Comparison | None, use_case: AnyUseCase) -> Challenger:
    return Challenger(
        group_key=row["group_key"],
        candidate=row["candidate"],
        score=row["score"],
        baseline_score=row["baseline_score"],
        coverage=row.get("coverage"),
        comparison=comparison,
        baseline=use_case.baseline,
        higher_is_better=use_case.higher_is_better,
    )


def _summarise(
    use_case: AnyUseCase, run_id: str, verdicts: Sequence[tuple[Row, Verdict]]
) -> PartitionVerdict:
    share = share_sound([verdict for _, verdict in verdicts])
    return PartitionVerdict(
        run_id=run_id,
        judged=len(verdicts),
        qualified=sum(verdict.qualified for _, verdict in verdicts),
        share=share,
        accepted=share >= use_case.promotion.min_share,
        broken=dict(Counter(rule for _, verdict in verdicts for rule in verdict.broken)),
    )


def _verdict_row(
    row: Row, verdict: Verdict, comparison: Comparison | None, partition: PartitionVerdict
) -> Row:
    withheld = verdict.qualified and not partition.accepted
    return {
        **row,
        "compared_score": comparison.challenger if comparison else None,
        "champion_score": comparison.champion if comparison else None,
        "compared_by": comparison.basis if comparison else None,
        "qualified": verdict.qualified,
        "accepted": verdict.qualified and partition.accepted,
        "reason": f"only {partition.share:.1%} of the partition are good enough"
        if withheld
        else verdict.reason,
        "broken_rules": ",".join(verdict.broken),
        "decided_at": datetime.now(UTC).replace(tzinfo=None),
    }
