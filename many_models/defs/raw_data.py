"""Asset ``raw_data``: the source's rows in the lake, one time window at a time, and its checks."""

from collections.abc import Iterator

import dagster as dg

from many_models.core.lake_schema import raw_schema
from many_models.core.use_case import UseCase
from many_models.defs.asset_metadata import column_schema, describe_partitions
from many_models.defs.check_results import CheckResult, Event, check_spec, yield_results
from many_models.defs.partitions import group_partitions, raw_windows, windows_of
from many_models.defs.resources import LakeResource, SourceResource, StoreResource
from many_models.steps.ingest import WindowReport, find_partitions, ingest_window, inspect_window
from many_models.steps.results import timed

ROWS_KEPT_MIN = 0.9  # of what the source gives now; less means that rows went missing


def build_raw_data(use_case: UseCase) -> dg.AssetsDefinition:
    windows, groups = raw_windows(use_case), group_partitions(use_case)

    @dg.asset(
        key=[use_case.name, "raw_data"],
        partitions_def=windows,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=use_case.name,
        kinds={"sql", "deltalake"},
        description=(
            f"{use_case.description}\n\nOne time window of the source database, extracted by SQL into a "
            "Delta table. Materializing a window again replaces it."
        ),
        metadata={"dagster/column_schema": column_schema(raw_schema(use_case))},
    )
    def raw_data(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        lake: LakeResource,
        store: StoreResource,
    ) -> dg.MaterializeResult:
        with timed(store.open(use_case), "raw_data", context.run_id) as stage:
            rows = {
                w.key: ingest_window(
                    use_case, w, source.open(use_case), lake.open(), context.run_id
                )
                for w in windows_of(windows, context.partition_keys)
            }
            stage.count(partitions=len(rows), rows=sum(rows.values()))
        found = find_partitions(use_case, lake.open(), list(rows))
        context.instance.add_dynamic_partitions(groups.name or "", found)
        describe_partitions(
            context, {k: {"dagster/partition_row_count": n} for k, n in rows.items()}
        )
        return dg.MaterializeResult(metadata={"partitions_found": len(found)})

    return raw_data


def build_raw_data_checks(use_case: UseCase, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    windows = raw_windows(use_case)
    specs = [
        check_spec(name, asset, windows, text)
        for name, text in {
            "schema_as_declared": "The columns have the types that the use case declares.",
            "keys_present": "No row lacks a key.",
            "no_duplicates": "No key has two rows at one time.",
            "rows_not_collapsed": f"At least {ROWS_KEPT_MIN:.0%} of the source's rows are in the lake.",
        }.items()
    ]

    @dg.multi_asset_check(name=f"{use_case.name}_raw_data_checks", specs=specs)
    def raw_data_checks(
        context: dg.AssetCheckExecutionContext, source: SourceResource, lake: LakeResource
    ) -> Iterator[Event]:
        reports = {
            w.key: inspect_window(use_case, w, source.open(use_case), lake.open())
            for w in windows_of(windows, context.partition_keys)
        }
        judged = {key: judge_window(report) for key, report in reports.items()}
        by_check = {spec.name: {k: r[spec.name] for k, r in judged.items()} for spec in specs}
        yield from yield_results(context, specs, by_check)

    return raw_data_checks


def judge_window(report: WindowReport) -> dict[str, CheckResult]:
    """Results of all checks on one window of raw data."""
    differences = "; ".join(report.schema_differences)
    kept = report.rows / report.source_rows if report.source_rows else 1.0
    return {
        "schema_as_declared": CheckResult(
            not differences, differences or "all columns as declared"
        ),
        "keys_present": CheckResult(report.null_keys == 0, f"{report.null_keys} rows lack a key"),
        "no_duplicates": CheckResult(
            report.duplicates == 0, f"{report.duplicates} rows repeat a key and time"
        ),
        "rows_not_collapsed": CheckResult(
            kept >= ROWS_KEPT_MIN, f"{report.rows} of the source's {report.source_rows} rows"
        ),
    }
