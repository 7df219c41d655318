"""Asset ``raw_data``: the source's rows in the lake, one time window at a time, and its checks."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import dagster as dg

from many_models.core.lake_schema import raw_columns, raw_schema
from many_models.core.sharding import judge_partitions_count
from many_models.core.use_case import AnyUseCase
from many_models.defs.asset_metadata import Made, Materialized, column_schema, describe
from many_models.defs.check_results import (
    Checked,
    CheckResult,
    Event,
    check_spec,
    yield_results,
)
from many_models.defs.current_run import CurrentRun
from many_models.defs.partition_failures import attempt, partitions_left
from many_models.defs.partitions import (
    PERIOD_DAYS,
    available_before,
    available_part,
    raw_windows,
    readable_before,
    register_partitions,
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

logger = logging.getLogger(__name__)

ROWS_KEPT_MIN = 0.9  # of what the source gives now; less means that rows went missing
AVAILABLE_BEFORE, SOURCE_DIGEST = "available_before", "source_digest"
"""Metadata of a materialization: how far it could reach, and which source it was made from."""


def source_digest(use_case: AnyUseCase) -> str:
    """Changes whenever windows that were extracted before would not fit with new ones."""
    source = use_case.source.digest_text
    columns = [f"{field.name} {field.type}" for field in raw_columns(use_case)]
    parts = json.dumps([source, use_case.frequency.code, columns])
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def freshness_policy(use_case: AnyUseCase) -> dg.FreshnessPolicy | None:
    """By when it must have been materialized again; None where the source has ended.

    Dagster's daemon watches it; by the data's own time does the check ``up_to_date``.
    """
    hours = use_case.source.expected_within_hours
    if hours is None or use_case.source.end is not None:
        return None
    period = timedelta(days=PERIOD_DAYS[use_case.frequency.family])
    return dg.FreshnessPolicy.time_window(fail_window=period + timedelta(hours=hours))


def build_raw_data(use_case: AnyUseCase) -> dg.AssetsDefinition:
    @dg.asset(
        key=[use_case.name, "raw_data"],
        partitions_def=raw_windows(use_case),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=use_case.name,
        kinds={"sql", "deltalake"},
        freshness_policy=freshness_policy(use_case),
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
    ) -> Iterator[Materialized]:
        windows, run = context.partition_keys, CurrentRun.of(context)
        made = make_raw_data(use_case, windows, run, source=source, lake=lake, store=store)
        yield from describe(context, made)

    return raw_data


def make_raw_data(
    use_case: AnyUseCase,
    windows: Sequence[str],
    run: CurrentRun,
    *,
    source: SourceResource,
    lake: LakeResource,
    store: StoreResource,
) -> Made:
    """Extract windows anew, and register the partitions of groups that occur in them."""
    before = available_before(use_case, run.requested_at)
    with timed(store.open(use_case), "raw_data", run.id) as stage:
        rows, failed = attempt(
            lambda: ingest_windows(
                use_case,
                _available(use_case, windows, before),
                source.open(use_case),
                lake.open(),
                run.id,
                over_before=before,
            )
        )
        stage.count(partitions=len(rows), rows=sum(rows.values()))
    keep_windows(use_case, raw_windows(use_case).get_partition_keys(), lake.open(), run.id)
    found = find_partitions(use_case, lake.open(), list(rows))
    if advice := judge_partitions_count(len(found), use_case):
        logger.warning(advice)
    register_partitions(use_case, run.instance, found)
    return Made(
        {key: {"dagster/partition_row_count": count} for key, count in rows.items()},
        {
            "partitions_found": len(found),
            **({"advice": advice} if advice else {}),
            AVAILABLE_BEFORE: before.isoformat(),
            SOURCE_DIGEST: source_digest(use_case),
        },
        failed=failed,
    )


def _available(use_case: AnyUseCase, keys: Sequence[str], before: datetime) -> list[TimeWindow]:
    found = windows_of(raw_windows(use_case), keys)
    readable = readable_before(use_case, before)
    return [available_part(use_case, window, readable) for window in found]


def build_raw_data_checks(use_case: AnyUseCase, asset: dg.AssetKey) -> dg.AssetChecksDefinition:
    windows, row_id = raw_windows(use_case), (use_case.time.column, *use_case.row_id_columns)
    specs = [
        check_spec(name, asset, windows, text)
        for name, text in {
            "schema_as_declared": (
                "The columns have the types that the use case declares. When it fails: the use "
                "case or the source has changed; extract all windows again (run --refresh)."
            ),
            "keys_present": (
                "No row lacks a key. When it fails: grouping will refuse these rows; leave them "
                "out in source.query, or give them a key there (COALESCE)."
            ),
            "no_duplicates": (
                f"No key has two rows with one {' and '.join(row_id)}. When it fails: sum them up "
                "in source.query (GROUP BY), or repair the source and extract the window again."
            ),
            "rows_not_collapsed": (
                f"At least {ROWS_KEPT_MIN:.0%} of the source's rows are in the lake. When it "
                "fails: rows have come since, or were lost; materialize the window again."
            ),
        }.items()
    ]

    @dg.multi_asset_check(name=f"{use_case.name}_raw_data_checks", specs=specs)
    def raw_data_checks(
        context: dg.AssetCheckExecutionContext, source: SourceResource, lake: LakeResource
    ) -> Iterator[Event]:
        left, run = partitions_left(context, asset), CurrentRun.of(context)
        results = check_raw_data(use_case, left.keys, run, source=source, lake=lake)
        yield from yield_results(context, specs, results, lost=left.lost)

    return raw_data_checks


def check_raw_data(
    use_case: AnyUseCase,
    windows: Sequence[str],
    run: CurrentRun,
    *,
    source: SourceResource,
    lake: LakeResource,
) -> Checked:
    """All checks on windows of raw data."""
    before = available_before(use_case, run.requested_at)
    judged = {
        w.key: judge_window(inspect_window(use_case, w, source.open(use_case), lake.open()))
        for w in _available(use_case, windows, before)
    }
    names = {name for results in judged.values() for name in results}
    return {name: {key: judged[key][name] for key in judged} for name in sorted(names)}


def judge_window(report: WindowReport) -> dict[str, CheckResult]:
    """Results of all checks on one window of raw data."""
    differences = "; ".join(report.schema_differences)
    kept = report.rows / report.source_rows if report.source_rows else 1.0
    return {
        "schema_as_declared": CheckResult(
            not differences, differences or "all columns as declared"
        ),
        "keys_present": CheckResult(
            report.null_keys == 0,
            f"{report.null_keys} rows lack a key",
            {"rows_without_key": report.null_keys},
        ),
        "no_duplicates": CheckResult(
            report.duplicates == 0,
            f"{report.duplicates} rows repeat a key and time",
            {"duplicates": report.duplicates},
        ),
        "rows_not_collapsed": CheckResult(
            kept >= ROWS_KEPT_MIN,
            f"{report.rows} of the source's {report.source_rows} rows",
            {"rows": report.rows, "source_rows": report.source_rows},
        ),
    }
