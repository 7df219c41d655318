"""What needs attention: groups that drifted, fell back, failed, grew old or were held back; why."""

from __future__ import annotations

from dataclasses import dataclass

from many_models.steps.pages.reader import Listing, Reader


@dataclass(frozen=True, slots=True)
class Concern:
    """One heading; ``query`` selects ``group_key``, ``partition``, ``reason`` and ``size``.

    ``size`` orders the rows, the largest first, and says how large in the unit of ``measure``.
    """

    name: str
    title: str
    means: str
    measure: str
    query: str


_LAST_ORIGIN = "origin = (SELECT MAX(origin) FROM {scoring})"

CONCERNS = {
    one.name: one
    for one in (
        Concern(
            "failed",
            "Training failed",
            "These groups have no new model. The reason says what to mend in the data or the "
            "use case; what they had before goes on serving them.",
            "observations",
            'SELECT group_key, "partition", '
            "COALESCE(reason, '') || COALESCE(': ' || error, '') AS reason, "
            "CAST(observations AS DOUBLE PRECISION) AS size "
            "FROM {latest_ledger} WHERE status = 'failed'",
        ),
        Concern(
            "unserved",
            "Not served",
            "The last origin has no prediction for these groups.",
            "",
            'SELECT group_key, "partition", '
            "COALESCE(reason, '') || COALESCE(': ' || error, '') AS reason, "
            f"0.0 AS size FROM {{scoring}} WHERE {_LAST_ORIGIN} AND source = 'none'",
        ),
        Concern(
            "drifted",
            "Accuracy has drifted",
            "Their champions are off by much more than their backtest promised, and not by chance. "
            "Train these partitions again, or let the sensor of retraining do it.",
            "cost in the target's unit",
            'SELECT group_key, "partition", '
            "'error ' || CAST(ROUND(CAST(error AS NUMERIC), 3) AS TEXT) || ', promised ' || "
            "CAST(ROUND(CAST(promised AS NUMERIC), 3) AS TEXT) AS reason, "
            "excess AS size FROM {drift} WHERE drifted",
        ),
        Concern(
            "shifted",
            "Data have shifted",
            "Target or features are far from what these champions learned from. Has the source "
            "changed, or the world? Only the latter needs training.",
            "standard deviations",
            "SELECT group_key, \"partition\", COALESCE(shifted_feature, 'the target') AS reason, "
            "ABS(COALESCE(feature_shift, target_shift)) AS size FROM {drift} WHERE shifted",
        ),
        Concern(
            "stale",
            "Champions are old",
            "These champions have not seen the last days of data.",
            "days",
            "SELECT group_key, \"partition\", 'trained through ' || CAST(trained_through AS TEXT) "
            "AS reason, age_days AS size FROM {drift} WHERE stale",
        ),
        Concern(
            "withheld",
            "Promotion withheld",
            "Their new models were judged and not accepted. What they had before goes on serving "
            "them; where they had nothing, a fallback does.",
            "",
            'SELECT group_key, "partition", reason, 0.0 AS size FROM {latest_verdicts} '
            "WHERE NOT accepted AND group_key IS NOT NULL",
        ),
        Concern(
            "fallback",
            "Served by a fallback",
            "The last origin's predictions come from the pooled model of the partition, or from "
            "the baseline.",
            "",
            "SELECT group_key, \"partition\", source || COALESCE(': ' || reason, '') AS reason, "
            f"0.0 AS size FROM {{scoring}} WHERE {_LAST_ORIGIN} "
            "AND source IN ('pooled', 'baseline')",
        ),
    )
}


def list_concern(reader: Reader, name: str, page: int = 1, partition: str = "") -> Listing:
    """One page of the groups under a heading, the worst first; in one partition, or in all."""
    select, values = CONCERNS[name].query, dict[str, object]()
    if partition:
        select += ' AND "partition" = :partition'
        values["partition"] = partition
    return reader.listing(select, "size IS NULL, size DESC, group_key", page, **values)


def count_concern(reader: Reader, name: str) -> int:
    row = reader.row(f"SELECT COUNT(*) AS n FROM ({CONCERNS[name].query}) counted")
    return int(row.get("n") or 0)
