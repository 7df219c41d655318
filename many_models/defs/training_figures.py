"""Figures and tables of a training run, of one partition and of all, for the page of its asset."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

REASONS_SHOWN = 10


def count_statuses(ledger: pa.Table, partition: str) -> dict[str, object]:
    """Groups of one partition by their status, and what training them took."""
    rows = ledger.filter(pc.equal(ledger["partition"], partition))
    counts = Counter(rows["status"].to_pylist())
    statuses = {name: counts[name] for name in ("trained", "skipped", "failed")}
    return {
        "groups": rows.num_rows,
        **statuses,
        "core_minutes": core_minutes(rows),
        "dagster/partition_row_count": rows.num_rows,
    }


def core_minutes(ledger: pa.Table) -> float:
    """What training all groups of a ledger took, to a hundredth of a second."""
    return round((pc.sum(ledger["core_seconds"]).as_py() or 0.0) / 60, 4)


def ledger_summary(ledger: pa.Table) -> str:
    """Markdown table of how the groups of a run ended, the commonest first."""
    endings = zip(*(ledger[n].to_pylist() for n in ("status", "reason", "candidate")), strict=True)
    counts = Counter((s, r or "", c or "") for s, r, c in endings).most_common(REASONS_SHOWN)
    lines = [f"| {s} | {r} | {c} | {n} |" for (s, r, c), n in counts]
    return "\n".join(["| status | reason | candidate | groups |", "|---|---|---|---:|", *lines])


def of_run(rows: pa.Table, run_id: str) -> pa.Table:
    """Those of the rows that a run has written; a table that nobody has made has no such column."""
    return rows.filter(pc.equal(rows["run_id"], run_id)) if "run_id" in rows.column_names else rows


def pooled_summary(rows: pa.Table) -> str:
    """Markdown table of the pooled models of a run, the best first."""
    if not len(rows):
        return "No partition has one: too few groups, or no candidate `pooled`."
    shown = sorted(rows.to_pylist(), key=lambda row: (row["score"] is None, row["score"]))
    lines = [
        f"| {row['partition']} | {row['groups']} | {_figure(row['score'])} | "
        f"{_figure(row['baseline_score'])} | {_figure(row['share_better'])} |"
        for row in shown[:REASONS_SHOWN]
    ]
    head = "| partition | groups | median score | the baseline's | better in |"
    return "\n".join([head, "|---|---:|---:|---:|---:|", *lines])


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
