"""What the columns of the result store mean, in plain words with their units.

A column means the same wherever it stands, but for those below ``OF_TABLE``. Columns that a use
case names itself (keys, static features, row ids, interval levels) are described by what they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from many_models.core.result_tables.spec import Column, sql_type
from many_models.core.use_case import AnyUseCase

_GROUPS = {
    "partition": "Partition of the group: what is trained and promoted together",
    "group_key": "Composite key of the group, such as store=17,item=42: the same in all tables",
    "observations": "Rows of the group that have a target",
    "first_time": "Time of the group's first row with a target",
    "last_time": "Time of the group's last row with a target",
}
_MODELS = {
    "candidate": "Kind of model that won, or that made the prediction",
    "model_name": "Name of the registered model in MLflow",
    "model_version": "Version of the registered model in MLflow",
    "model_run_id": "MLflow's run of the model in the training registry",
    "trained_through": "Last time of data that the model has seen",
    "evaluated_from": "First time of the data that the model was judged on",
    "score": "Error or score of the model where it was judged, by {metric}; {better} is better",
    "baseline_score": "The same of the baseline ({baseline}) on the same data",
    "candidate_scores": "Scores of all candidates, as JSON",
    "candidate_ratings": "What each candidate was chosen by, its {metric} on other rows, as JSON",
    "candidate_metrics": "All metrics of all candidates on the rows held out, as JSON",
    "folds": "Origins of the rolling backtest that could be judged",
    "holdout_rows": "Rows held out, that the model was judged on",
    "holdout_digest": "Digest of the rows held out: the same digest, the same rows",
    "classes": "Classes that the model tells apart; 0 for numbers",
    "payload_sha256": "SHA-256 of the stored model, in hex",
    "payload_bytes": "Size of the stored model, in bytes",
    "latest_mae": "Mean absolute error in the latest fold alone, in the unit of {target}",
}
_METRICS = {
    "mase": "Mean absolute scaled error: 1 is as good as repeating the last season",
    "rmsse": "Root mean squared scaled error: 1 is as good as repeating the last season",
    "wape": "Sum of absolute errors over the sum of absolute actuals, a fraction",
    "smape": "Symmetric mean absolute percentage error, from 0 to 2",
    "mae": "Mean absolute error, in the unit of {target}",
    "rmse": "Root of the mean squared error, in the unit of {target}",
    "bias": "Mean of prediction minus actual, in the unit of {target}",
    "pinball": "Mean pinball loss of the main interval's bounds, in the unit of {target}",
    "coverage": "Share of actuals within the main prediction interval, a fraction",
    "r2": "Share of the target's variance that the model explains; 1 is the best",
    "accuracy": "Share of right classes, a fraction",
    "f1": "F1 score of the classes, from 0 to 1",
    "log_loss": "Mean logarithmic loss of the probabilities, in nats",
}
_RUNS = {
    "run_id": "Dagster run that wrote the row",
    "trained_at": "When the training run started, in UTC",
    "status": "How training ended for the group: trained, skipped or failed",
    "reason": "Why, in one word, if not as usual",
    "error": "The error in one sentence, if there was one",
    "traceback": "Where in the code the error arose",
    "seconds": "Seconds on the clock",
    "core_seconds": "Seconds of processor cores that training took",
    "data_version": "Version of the Delta table of grouped datasets that was read",
    "code_version": "Version of many-models that trained",
    "config_version": "Digest of what of the use case training depends on",
}
_PREDICTIONS = {
    "origin": "Forecast origin: the last time whose data the prediction may use",
    "time": "Time that is predicted",
    "date": "Day of the time that was predicted",
    "periods_ahead": "Periods from the origin to the time predicted: 1 is the next",
    "prediction": "The prediction of {target}, in its unit",
    "lower": "Lower bound of the main prediction interval, in the unit of {target}",
    "upper": "Upper bound of the main prediction interval, in the unit of {target}",
    "probability": "Probability of the predicted class, from 0 to 1",
    "probabilities": "Probabilities of all classes, as JSON",
    "rows_due": "Rows of the group that were to be predicted",
    "source": "What predicted: model (the group's own), pooled (its partition's), baseline or none",
    "actual": "What {target} turned out to be, in its unit; null as long as nobody knows",
    "deviation": "Prediction minus actual, in the unit of {target}",
    "hit": "1 where the predicted class was right, else 0",
    "covered": "1 where the actual lies within the main prediction interval, else 0",
}
_VERDICTS = {
    "compared_score": "Figure of the new model beside the champion's, by compared_by",
    "champion_score": "The same figure of the champion",
    "compared_by": "What the two were compared by, and on which data",
    "qualified": "Whether all rules of promotion hold for the model",
    "accepted": "Whether it may go to production: it and enough of its partition qualify",
    "broken_rules": "Rules of promotion that do not hold, with commas between",
    "decided_at": "When the verdict was made, in UTC",
}
_EXPLANATIONS = {
    "member": "Candidate that has the effect, alone or in an ensemble",
    "effect": "Kind of effect: coefficient, gain, importance, parameter, weight or form",
    "feature": "Feature or parameter that it is about",
    "class_name": "Class that it is about; null for numbers",
    "value": "The effect itself: a coefficient, a gain, a weight",
    "standardised": "Coefficient per standard deviation of the feature, in the unit of {target}",
    "share": "Its share of all effects of the model, a fraction: comparable among kinds",
    "share_rank": "Rank of that share in the model; 1 is the largest",
}
_DRIFT = {
    "measured_at": "When drift was measured, in UTC",
    "data_through": "Last time of the data that the champion is held against",
    "age_days": "Days of data that have come since the champion was trained",
    "judged": "Periods of the window in which the champion's predictions could be judged",
    "promised": "Mean absolute error that the backtest promised, in the unit of {target}",
    "excess": "What drift has cost in the window: error beyond the promise, times periods",
    "drifted_since": "First time at which the error is above what was promised; null without drift",
    "target_shift": "How far the target has moved since training, in standard deviations",
    "feature_shift": "How far the feature that has moved most has, in standard deviations",
    "shifted_feature": "The feature that has moved most since training",
    "drifted": "Whether the champion does worse than promised",
    "shifted": "Whether its data are other than those it was trained on",
    "stale": "Whether it is too old, and no younger one was tried since",
}
_INVENTORY = {
    "lead_time": "Periods from an order until it arrives; null where the group's cannot be read",
    "review_period": "Periods between two looks at the stock",
    "service_level": "Probability asked for that the stock lasts until the next delivery",
    "demand_over_lead_time": "{target} forecast over the lead time, in its unit",
    "demand_over_protection": "The same over the protection interval: lead time and review period",
    "error_over_protection": "Standard deviation of that sum's error, in the unit of {target}",
    "safety_stock": "What order_up_to is above the demand forecast over the protection interval",
    "reorder_point": "Order when stock on hand and on order falls to this, if it is always watched",
    "order_up_to": "What an order at the origin fills the stock on hand and on order up to",
    "on_hand": "Stock at the origin, as last known; null where it is not",
    "on_order": "Stock on its way at the origin, as last known; null where it is not",
    "order_quantity": "What to order at the origin; null where the stock is not known",
}
COMMENTS: Mapping[str, str] = {
    **_GROUPS,
    **_MODELS,
    **_METRICS,
    **_RUNS,
    **_PREDICTIONS,
    **_INVENTORY,
    **_VERDICTS,
    **_EXPLANATIONS,
    **_DRIFT,
}

OF_TABLE: Mapping[str, Mapping[str, str]] = {
    "stages": {
        "stage": "Stage of the pipeline, such as training",
        "started_at": "When the stage started, in UTC",
        "seconds": "Seconds that it took, on the clock",
        "partitions": "Partitions that it worked on",
        "rows": "Rows, or groups, that it worked on",
    },
    "verdicts": {"reason": "Why it is not accepted, in words; empty where it is"},
    "pooled": {
        "groups": "Groups of the partition",
        "rows": "Rows that the pooled model learned from",
        "groups_judged": "Groups in whose backtests it could be judged",
        "score": "Median of these groups' scores with the pooled model, by {metric}",
        "baseline_score": "Median of the same groups' scores with the baseline",
        "share_better": "Share of these groups in which it beats the baseline, a fraction",
        "error": "Why it could not be registered, if so",
        "seconds": "Seconds that fitting it took, on the clock",
    },
    "scoring": {
        "reason": "Why it was not the group's own model, in one word",
        "error": "The same in one sentence",
        "candidate": "Kind of model that predicted",
    },
    "inventory": {
        "candidate": "Kind of model that forecast",
        "reason": "Why there is no safety stock, in one word; null where there is",
        "error": "The same in one sentence",
    },
    "predictions": {"candidate": "Kind of model that predicted"},
    "accuracy": {"candidate": "Kind of model that predicted"},
    "drift": {
        "error": "Mean absolute error of its predictions in the window, in the unit of {target}",
        "run_id": "Dagster run that measured drift",
        "model_version": "Version of the champion in the production registry",
    },
    "retraining": {
        "request_id": "Request: all partitions asked for at one tick of the sensor share it",
        "partition": "Partition that was asked for",
        "reason": "Why: new_groups, drift, changed (the use case) or age",
        "subject": "What the reason is about, so that the same one is not asked for twice",
        "detail": "The reason in one sentence",
        "value": "What retraining may gain, by which requests are ordered",
        "estimated_core_seconds": "Core-seconds that it was expected to take",
        "attempt": "Requests in a row for this reason that did not help, and this one",
        "requested_at": "When it was requested, in UTC",
        "champions_through": "Last time of data that a champion that had drifted had seen",
        "run_id": "Dagster run that trained the partition",
        "outcome": "requested (not ended yet), trained, no_better, failed, canceled or lost",
        "ended_at": "When its run ended, in UTC",
        "trained": "Models that were trained",
        "promoted": "Models of these that became champions",
        "kept": "Models of these that did not",
        "core_seconds": "Core-seconds that it took",
        "gone_since": "When the reason was found to be there no more, in UTC",
    },
    "rollbacks": {
        "rollback_id": "Rollback: all models taken back at once share it",
        "rolled_back_at": "When, in UTC",
        "rolled_back_by": "Who rolled back",
        "reason": "Why, in words",
        "from_version": "Version that was champion",
        "to_version": "Version that is champion since; null where the baseline stands in",
    },
}


def describe(use_case: AnyUseCase, suffix: str, schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of ``schema`` with their comments."""
    return tuple(
        Column(field.name, sql_type(field.type), comment(use_case, suffix, field.name))
        for field in schema
    )


def comment(use_case: AnyUseCase, suffix: str, name: str) -> str:
    """What a column of one table means; KeyError where nobody has said it."""
    if name in use_case.keys:
        return f"Key column {name}: it and the other keys tell one group from another"
    if name in use_case.static_columns:
        return f"Static feature {name}: one value a group"
    if name in use_case.row_id_columns:
        return "What tells rows of one group and time apart"
    text = OF_TABLE.get(suffix, {}).get(name) or COMMENTS.get(name) or _templated(name)
    return text.format(
        target=use_case.target,
        metric=use_case.metric,
        baseline=use_case.baseline,
        better="higher" if use_case.higher_is_better else "lower",
    )


def _templated(name: str) -> str:
    """Comments of columns whose names the use case's levels and metrics make."""
    kind, _, level = name.partition("_")
    percent = level.replace("_", ".")
    match kind:
        case "lower" | "upper":
            bound = f"{kind.capitalize()} bound of the {percent} % prediction interval"
            return f"{bound}, in the unit of {{target}}"
        case "coverage":
            return f"Share of actuals within the {percent} % prediction interval, a fraction"
        case "baseline":
            return f"Of the baseline: {COMMENTS[level]}"
    raise KeyError(f"column {name!r} has no comment: say in result_tables/comments.py what it is")
