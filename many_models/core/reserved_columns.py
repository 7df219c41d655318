"""Names that the platform gives to columns and tags of its own, and that a source may not use.

Lower case, since databases and Spark take no notice of case.
"""

from __future__ import annotations

LAKE_COLUMNS = frozenset(["partition", "shard", "shard_groups", "data_through", "window"])
"""What the lake's tables hold besides the source's columns."""

_GROUP_TOTALS = [
    *("rows", "target_sum", "target_count", "last_time"),
    *("partition_grouped", "rows_grouped"),
    *("target_sum_grouped", "target_count_grouped", "last_time_grouped"),
]
_LEDGER = [
    *("run_id", "trained_at", "data_version", "code_version", "config_version"),
    "group_key",
    *("status", "reason", "error", "observations", "first_time", "trained_through"),
    *("candidate", "score", "baseline_score", "candidate_scores", "folds", "evaluated_from"),
    *("mase", "rmsse", "wape", "smape", "mae", "rmse", "bias", "pinball", "coverage", "latest_mae"),
    *("accuracy", "f1", "log_loss", "r2"),
    *(f"baseline_{name}" for name in ("mae", "rmse", "r2", "accuracy", "f1", "log_loss")),
    *("candidate_metrics", "candidate_ratings", "holdout_rows", "holdout_digest", "classes"),
    *("seconds", "core_seconds", "traceback", "payload", "payload_sha256", "payload_bytes"),
    *("model_name", "model_version", "model_run_id"),
]
_VERDICTS = [
    *("compared_score", "champion_score", "compared_by"),
    *("qualified", "accepted", "broken_rules", "decided_at"),
]
_PREDICTIONS = [
    *("actual", "deviation", "hit", "covered"),
    *("origin", "time", "periods_ahead", "prediction", "lower", "upper", "source"),
    *("probability", "probabilities", "rows_due"),
]
_EXPLANATIONS = [
    *("member", "effect", "feature", "class_name", "value", "standardised"),
    *("share", "share_rank", "effects", "backtest", "closeup"),
]
_DRIFT = [
    *("measured_at", "age_days", "judged", "promised", "excess", "drifted_since"),
    *("target_shift", "feature_shift", "shifted_feature", "drifted", "shifted", "stale"),
]
_TOTALS = ["n", "hits", "absolute_error", "absolute_actual", "intervals", "groups"]
_CHAMPIONS = ["is_champion", "ended_at"]
_TAGS = [
    *("use_case", "partition_key", "metric", "dagster_run_id", "verdict", "pooled", "router_of"),
    *("artifact_location", "training_run", "training_version"),
    *("promoted_at", "promoted_by", "replaces"),
    *("rolled_back_at", "rolled_back_by", "rolled_back_to", "rollback_reason", "rollback_id"),
]

INVENTORY_COLUMNS = frozenset(
    [
        *("lead_time", "review_period", "service_level", "demand_over_lead_time"),
        *("demand_over_protection", "error_over_protection", "safety_stock", "reorder_point"),
        *("order_up_to", "on_hand", "on_order", "order_quantity"),
    ]
)
"""What table ``inventory`` holds on top, where a use case has one."""

RESULT_COLUMNS = LAKE_COLUMNS.union(
    _GROUP_TOTALS,
    _LEDGER,
    _VERDICTS,
    _PREDICTIONS,
    _EXPLANATIONS,
    _DRIFT,
    _TOTALS,
    _CHAMPIONS,
    _TAGS,
)
"""What else the tables of results hold, and the tags of models: keys and static features are there
too. The columns of a use case's own interval levels come on top: see ``validation``."""
