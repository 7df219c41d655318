"""Asset ``trained_models``: a model for every group, and the checks before production."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, describe, results_schema
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt, partitions_left
from many_models.defs.partitions import group_partitions
from many_models.defs.promotion_gate import describe_rules, judge_share
from many_models.defs.registry_pages import training_pages
from many_models.defs.resources import (
    SPARK_POOL,
    ChampionsResource,
    LakeResource,
    RegistryResource,
    SparkResource,
    StoreResource,
)
from many_models.defs.results_pages import link_groups, links_of, partition_link
from many_models.defs.training_figures import (
    core_minutes,
    count_statuses,
    ledger_summary,
    of_run,
    pooled_summary,
)
from many_models.steps.group import read_shards
from many_models.steps.judge import judge_partitions
from many_models.steps.ledger import Run
from many_models.steps.results import timed
from many_models.steps.train import TrainedPartitions, train_partitions
from many_models.steps.training_review import choose_worst, show_skill
from many_models.steps.verdict_review import tell_worst_verdicts


def build_trained_models(
    use_case: AnyUseCase, grouped_datasets: dg.AssetKey
) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "trained_models"],
        partitions_def=group_partitions(use_case),
        deps=[grouped_datasets],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=SPARK_POOL,
        group_name=use_case.name,
        kinds={"spark", "scikitlearn", "mlflow"},
        description=(
            f"Every group's best of {', '.join(use_case.candidate_names or ['what suits it'])}, by "
            f"{use_case.metric} on data that it has not seen, refitted on all data and "
            "registered in the training registry. Every group has one row in the ledger: trained, "
            "skipped or failed, with the reason."
        ),
        metadata={
            "dagster/column_schema": results_schema(use_case, "ledger", ledger_schema(use_case))
        },
    )
    def trained_models(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        lake: LakeResource,
        training_registry: RegistryResource,
        store: StoreResource,
    ) -> Iterator[Materialized]:
        left = partitions_left(context, grouped_datasets)
        made = make_trained_models(
            use_case,
            left.keys,
            CurrentRun.of(context),
            spark=spark,
            lake=lake,
            training_registry=training_registry,
            store=store,
        )
        yield from describe(context, made, left.lost)

    return trained_models


def make_trained_models(
    use_case: AnyUseCase,
    keys: Sequence[str],
    run: CurrentRun,
    *,
    spark: SparkResource,
    lake: LakeResource,
    training_registry: RegistryResource,
    store: StoreResource,
) -> Made:
    """Train every group of these partitions."""
    results, registry = store.open(use_case), training_registry.open(use_case)
    with timed(results, "trained_models", run.id) as stage:
        trained, failed = attempt(
            lambda: train_partitions(
                use_case,
                keys,
                Run(run.id, datetime.now(UTC)),
                spark=spark.open(),
                lake=lake.open(),
                registry=registry,
                results=results,
            )
        )
        ledger = trained.ledger
        stage.count(partitions=len(keys), rows=ledger.num_rows)
    pooled = of_run(results.latest("pooled", keys), run.id)
    return Made(
        {key: count_statuses(ledger, key) for key in keys},
        {
            "registry_writer": str(registry.writer),
            "mlflow": training_pages().link,
            "ledger_of_all_partitions": dg.MetadataValue.md(ledger_summary(ledger)),
            "pooled_models_of_all_partitions": dg.MetadataValue.md(pooled_summary(pooled)),
            "core_minutes_of_all_partitions": core_minutes(ledger),
            "skill_of_all_partitions": dg.MetadataValue.md(show_skill(use_case, ledger)),
        },
        _highlights(use_case, trained, keys),
        failed,
    )


def _highlights(
    use_case: AnyUseCase, trained: TrainedPartitions, keys: Sequence[str]
) -> dict[str, dict[str, dg.MetadataValue[Any]]]:
    """Of each partition the link to its page; of some, pictures of their worst groups."""
    found: dict[str, dict[str, dg.MetadataValue[Any]]] = {
        key: {**partition_link(use_case, key)} for key in keys
    }
    worst = choose_worst(use_case, trained.ledger) if links_of(use_case) else {}
    for key, text in trained.worst.items():
        links = link_groups(use_case, [row["group_key"] for row in worst.get(key, ())])
        found[key]["worst_groups"] = dg.MetadataValue.md(text + links)
    return found


def build_trained_models_checks(
    use_case: AnyUseCase, asset: dg.AssetKey
) -> dg.AssetChecksDefinition:
    partitions = group_partitions(use_case)
    specs = [
        check_spec(
            "ledger_complete",
            asset,
            partitions,
            "The ledger has exactly one row for every group of the grouped datasets. When it "
            "fails: somebody has written to the ledger or the lake meanwhile; materialize "
            "grouped_datasets and trained_models of this partition again.",
        ),
        check_spec(
            "promotion_rules",
            asset,
            partitions,
            describe_rules(use_case.promotion),
        ),
    ]

    @dg.multi_asset_check(
        name=f"{use_case.name}_trained_models_checks", specs=specs, pool=SPARK_POOL
    )
    def trained_models_checks(
        context: dg.AssetCheckExecutionContext,
        spark: SparkResource,
        lake: LakeResource,
        champions: ChampionsResource,
        store: StoreResource,
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        found = check_trained_models(
            use_case, left.keys, spark=spark, lake=lake, champions=champions, store=store
        )
        yield from yield_results(context, specs, found, lost=left.lost)

    return trained_models_checks


def check_trained_models(
    use_case: AnyUseCase,
    keys: Sequence[str],
    *,
    spark: SparkResource,
    lake: LakeResource,
    champions: ChampionsResource,
    store: StoreResource,
) -> Checked:
    """Judge the last training run of these partitions, and whether its ledger is complete."""
    results = store.open(use_case)
    ledger = results.latest("ledger", keys)
    expected: Counter[str] = Counter()
    for shard in read_shards(use_case, lake.open(), keys):
        expected[shard.partition] += shard.groups
    verdicts = judge_partitions(
        use_case,
        keys,
        spark=spark.open,
        lake=lake.open(),
        production=champions.open(use_case),
        results=results,
    )
    pages = training_pages()
    worst = tell_worst_verdicts(use_case, keys, pages.registry, results)
    return {
        "ledger_complete": {k: judge_ledger(ledger, k, expected[k]) for k in keys},
        "promotion_rules": {
            k: judge_share(v, worst.get(k, ()), pages) for k, v in verdicts.items()
        },
    }


def judge_ledger(ledger: pa.Table, partition: str, groups: int) -> CheckResult:
    """Whether one partition's ledger has one row for each of its groups."""
    keys = ledger.filter(pc.equal(ledger["partition"], partition))["group_key"]
    distinct = pc.count_distinct(keys).as_py()
    text = f"{len(keys)} rows and {distinct} keys for {groups} groups"
    figures = {"rows": len(keys), "keys": distinct, "groups": groups}
    return CheckResult(len(keys) == distinct == groups, text, figures)
