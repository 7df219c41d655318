"""Asset ``model_drift``: do champions keep their promise, on data like those they learned from?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from many_models.adapters.charts.output import to_markdown
from many_models.adapters.charts.series import draw_series
from many_models.core.drift_rules import DriftRules
from many_models.core.result_tables.fact_schemas import drift_schema
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
from many_models.defs.partition_failures import partitions_left
from many_models.defs.partitions import group_partitions
from many_models.defs.resources import (
    SPARK_POOL,
    ChampionsResource,
    LakeResource,
    SparkResource,
    StoreResource,
)
from many_models.defs.results_pages import link_groups, partition_link
from many_models.steps.drift_review import (
    PartitionDrift,
    Row,
    read_drift,
    show_recent,
    summarise,
    worst_rows,
)
from many_models.steps.drift_tables import accuracy_table, age_table, shift_table
from many_models.steps.measure_drift import measure_drift
from many_models.steps.results import Results, timed

PLOTS_MAX = 10  # of a run: each is a picture in the event log

NOBODY = "no champion is in production"


def build_model_drift(
    use_case: AnyUseCase,
    promoted_models: dg.AssetKey,
    grouped_datasets: dg.AssetKey,
    forecast_accuracy: dg.AssetKey,
) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "model_drift"],
        partitions_def=group_partitions(use_case),
        deps=[
            promoted_models,
            grouped_datasets,
            dg.AssetDep(forecast_accuracy, partition_mapping=dg.AllPartitionMapping()),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=SPARK_POOL,
        group_name=use_case.name,
        kinds={"sql", "spark"},
        description=(
            "One row for every champion: its error on actuals beside what its backtest promised, "
            f"how far {use_case.target} and the features have shifted since its training, its age."
        ),
        metadata={
            "dagster/column_schema": results_schema(use_case, "drift", drift_schema(use_case))
        },
    )
    def model_drift(
        context: dg.AssetExecutionContext,
        spark: SparkResource,
        lake: LakeResource,
        champions: ChampionsResource,
        store: StoreResource,
    ) -> Iterator[Materialized]:
        keys, run = context.partition_keys, CurrentRun.of(context)
        made = make_model_drift(
            use_case, keys, run, spark=spark, lake=lake, champions=champions, store=store
        )
        yield from describe(context, made)

    return model_drift


def make_model_drift(
    use_case: AnyUseCase,
    keys: Sequence[str],
    run: CurrentRun,
    *,
    spark: SparkResource,
    lake: LakeResource,
    champions: ChampionsResource,
    store: StoreResource,
) -> Made:
    """Measure the champions of these partitions."""
    results = store.open(use_case)
    with timed(results, "model_drift", run.id) as stage:
        found = measure_drift(
            use_case,
            keys,
            run.id,
            spark=spark.open,
            lake=lake.open(),
            production=champions.open(use_case),
            results=results,
        )
        groups = sum(partition.groups for partition in found.values())
        stage.count(partitions=len(keys), rows=groups)
    return Made(
        {k: {**asdict(d), "dagster/partition_row_count": d.groups} for k, d in found.items()},
        {"drifted_of_all_partitions": sum(partition.drifted for partition in found.values())},
    )


def build_model_drift_checks(use_case: AnyUseCase, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    partitions, texts = group_partitions(use_case), describe_rules(use_case.drift)
    specs = [check_spec(name, asset, partitions, text) for name, text in texts.items()]

    @dg.multi_asset_check(name=f"{use_case.name}_model_drift_checks", specs=specs)
    def model_drift_checks(
        context: dg.AssetCheckExecutionContext, store: StoreResource
    ) -> Iterator[Event]:
        left = partitions_left(context, asset)
        found = check_model_drift(use_case, left.keys, store=store)
        yield from yield_results(context, specs, found, lost=left.lost)

    return model_drift_checks


def describe_rules(rules: DriftRules) -> Mapping[str, str]:
    """What each check asks for, as an operator reads it."""
    return {
        "accuracy_as_promised": (
            f"At most {rules.share_max:.0%} of the champions that could be judged are off by over "
            f"{rules.error_ratio:g} times what their backtest promised, and not by chance. When it "
            "fails: train the partition again, or let the sensor of retraining do it."
        ),
        "data_as_trained": (
            f"Of at most {rules.shifted_share_max:.0%} of the champions, target or features have "
            f"shifted by over {rules.shift:g} standard deviations since training, not by chance. "
            "When it fails: has the source changed, or the world? Only the latter needs training."
        ),
        "models_fresh": (
            f"At most {rules.stale_share_max:.0%} of the champions have not seen the last days of "
            "data, more than drift.max_age_days of them, nor beaten a younger challenger. When it "
            "fails: train the partition again."
        ),
    }


def check_model_drift(
    use_case: AnyUseCase, keys: Sequence[str], *, store: StoreResource
) -> Checked:
    """Hold what was measured in these partitions against the rules."""
    results, rules = store.open(use_case), use_case.drift
    rows = read_drift(keys, results)
    drifted = worst_rows(rows, "drifted", "excess")
    shifted = worst_rows(rows, "shifted", "target_shift", "feature_shift")
    stale = worst_rows(rows, "stale", "age_days")
    figures = summarise(use_case, rows, keys)
    accuracy = {k: judge_accuracy(d, drifted.get(k, []), rules) for k, d in figures.items()}
    return {
        "accuracy_as_promised": add_plots(use_case, accuracy, drifted, results),
        "data_as_trained": {
            k: judge_data(d, shifted.get(k, []), use_case) for k, d in figures.items()
        },
        "models_fresh": {k: judge_age(d, stale.get(k, []), use_case) for k, d in figures.items()},
    }


def judge_accuracy(drift: PartitionDrift, worst: list[Row], rules: DriftRules) -> CheckResult:
    """Whether enough of one partition's champions are as accurate as their backtest promised."""
    text = (
        f"{drift.drifted} of {drift.judged} judged champions have drifted "
        f"({drift.share_drifted:.0%}; up to {rules.share_max:.0%} may), at a cost of "
        f"{drift.excess:,.6g} in the target's unit"
    )
    if not drift.judged:
        text = f"none of {drift.groups} champions could be judged yet" if drift.groups else NOBODY
    metadata = {**asdict(drift), **_worst(worst, accuracy_table(worst))}
    return CheckResult(drift.share_drifted <= rules.share_max, text, metadata)


def judge_data(drift: PartitionDrift, worst: list[Row], use_case: AnyUseCase) -> CheckResult:
    """Whether the data of enough of one partition's champions are like those they learned from."""
    most = use_case.drift.shifted_share_max
    text = (
        f"the data of {drift.shifted} of {drift.compared} champions have shifted since training "
        f"({drift.share_shifted:.0%}; up to {most:.0%} may)"
    )
    if not drift.compared:
        text = "too little data have come since training" if drift.groups else NOBODY
    passed = drift.share_shifted <= most
    shown = _worst(worst, shift_table(worst, use_case.target))
    return CheckResult(passed, text, shown, dg.AssetCheckSeverity.WARN)


def judge_age(drift: PartitionDrift, worst: list[Row], use_case: AnyUseCase) -> CheckResult:
    """Whether enough of one partition's champions are young."""
    rules = use_case.drift
    days = rules.age_of(use_case.frequency)
    text = (
        f"{drift.stale} of {drift.groups} champions have not seen the last {days:g} days of data "
        f"or more ({drift.share_stale:.0%}; up to {rules.stale_share_max:.0%} may)"
    )
    passed = drift.share_stale <= rules.stale_share_max
    shown = _worst(worst, age_table(worst))
    description = text if drift.groups else NOBODY
    return CheckResult(passed, description, shown, dg.AssetCheckSeverity.WARN)


def add_plots(
    use_case: AnyUseCase,
    found: Mapping[str, CheckResult],
    worst: Mapping[str, list[Row]],
    results: Results,
) -> dict[str, CheckResult]:
    """The results with a picture of the worst group, in the partitions that fail; not in all."""
    failed = [key for key, result in found.items() if not result.passed][:PLOTS_MAX]
    plotted = dict(found)
    for key in failed:
        if shown := show_recent(use_case, worst[key][0], results):
            chart = draw_series([shown], use_case.target)
            links = link_groups(use_case, [worst[key][0]["group_key"]])
            picture = dg.MetadataValue.md(to_markdown(chart, "worst group") + links)
            result = found[key]
            metadata = {**result.metadata, "worst_group": picture, **partition_link(use_case, key)}
            plotted[key] = CheckResult(result.passed, result.description, metadata)
    return plotted


def _worst(rows: Sequence[Row], table: str) -> dict[str, object]:
    return {"worst_groups": dg.MetadataValue.md(table)} if rows else {}
