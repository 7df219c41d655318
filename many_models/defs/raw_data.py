"""Asset ``raw_data``: the source's rows in the lake, one time window at a time, and its checks."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg

from many_models.core.lake_schema import raw_columns, raw_schema
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import column_schema, describe_partitions
from many_models.defs.check_results import CheckResult, Event, check_spec, yield_results
from many_models.defs.partitions import (
    available_before,
    available_part,
    group_partitions,
    raw_windows,
    readable_before,
    windows_of,
)
from many_models.defs.resources import LakeResource, SourceResource, StoreResource
from many_models.steps.ingest import (
    TimeWindow,
    WindowReport,
    find_partitions,
    ingest_windows,
    inspect_window,
    keep_windows,
)
from many_models.steps.results import timed

ROWS_KEPT_MIN = 0.9  # of what the source gives now; less means that rows went missing
AVAILABLE_BEFORE, SOURCE_DIGEST = "available_before", "source_digest"
"""Metadata of a materialization: how far it could reach, and which source it was made from."""


def source_digest(use_case: AnyUseCase) -> str:
    """Changes whenever windows that were extracted before would not fit with new ones."""
    source = use_case.source.model_dump_json()
    columns = [f"{field.name} {field.type}" for field in raw_columns(use_case)]
    parts = json.dumps([source, use_case.frequency.code, columns])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def build_raw_data(use_case: AnyUseCase) -> dg.AssetsDefinition:
    windows, groups = raw_windows(use_case), group_partitions(use_case)

    @dg.asset(
        key=[use_case.name, "raw_data"],
        partitions_def=windows,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=use_case.name,
        kinds={"sql", "deltalake"},
        description=(
            f"{use_case.description}\n\nOne time window of the source database, extracted by SQL "
            "into a Delta table. Materializing a window again replaces it. Of the window that is "
            "open now, only the periods that are over are extracted; of the time ahead, the "
            "features that are known before it comes."
        ).strip(),
        metadata={"dagster/column_schema": column_schema(raw_schema(use_case))},
    )
    def raw_data(
        context: dg.AssetExecutionContext,
        source: SourceResource,
        lake: LakeResource,
        store: StoreResource,
    ) -> dg.MaterializeResult[None]:
        before = available_before(use_case, _requested_at(context.instance, context.run.run_id))
        with timed(store.open(use_case), "raw_data", context.run.run_id) as stage:
            rows = ingest_windows(
                use_case,
                _available(use_case, context.partition_keys, before),
                source.open(use_case),
                lake.open(),
                context.run.run_id,
                over_before=before,
            )
            stage.count(partitions=len(rows), rows=sum(rows.values()))
        keep_windows(use_case, windows.get_partition_keys(), lake.open(), context.run.run_id)
        found = find_partitions(use_case, lake.open(), list(rows))
        context.instance.add_dynamic_partitions(groups.name or "", found)
        describe_partitions(
            context, {k: {"dagster/partition_row_count": n} for k, n in rows.items()}
        )
        return dg.MaterializeResult(
            metadata={
                "partitions_found": len(found),
                AVAILABLE_BEFORE: before.isoformat(),
                SOURCE_DIGEST: source_digest(use_case),
            }
        )

    return raw_data


def _requested_at(instance: dg.DagsterInstance, run_id: str) -> datetime:
    """When a run was created, UTC: the same for an asset and the checks that run after it."""
    record = instance.get_run_record_by_id(run_id)
    assert record is not None  # it is the run that asks
    return record.create_timestamp.replace(tzinfo=None)


def _available(use_case: AnyUseCase, keys: Sequence[str], before: datetime) -> list[TimeWindow]:
    found = windows_of(raw_windows(use_case), keys)
    readable = readable_before(use_case, before)
    return [available_part(use_case, window, readable) for window in found]


def build_raw_data_checks(use_case: AnyUseCase, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    windows, row_id = raw_windows(use_case), (use_case.time.column, *use_case.row_id_columns)
    specs = [
        check_spec(name, asset, windows, text)
        for name, text in {
            "schema_as_declared": "The columns have the types that the use case declares.",
            "keys_present": "No row lacks a key.",
            "no_duplicates": f"No key has two rows with one {' and '.join(row_id)}.",
            "rows_not_collapsed": (
                f"At least {ROWS_KEPT_MIN:.0%} of the source's rows are in the lake."
            ),
        }.items()
    ]

    @dg.multi_asset_check(name=f"{use_case.name}_raw_data_checks", specs=specs)
    def raw_data_checks(
        context: dg.AssetCheckExecutionContext, source: SourceResource, lake: LakeResource
    ) -> Iterator[Event]:
        before = available_before(use_case, _requested_at(context.instance, context.run.run_id))
        reports = {
            w.key: inspect_window(use_case, w, source.open(use_case), lake.open())
            for w in _available(use_case, context.partition_keys, before)
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
