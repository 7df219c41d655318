"""What the checks of ``predictions`` beside coverage say of one origin."""

from datetime import datetime

import dagster as dg

from many_models.core.forecast.use_case import UseCase
from many_models.core.prediction_rules import PredictionRules
from many_models.core.use_case import AnyUseCase
from many_models.defs.check_results import CheckResult, shown_table
from many_models.defs.resources import LakeResource
from many_models.steps.fallback_review import FallbackReview, review_fallbacks
from many_models.steps.plausibility_review import Plausibility, review_plausibility
from many_models.steps.results import Results
from many_models.steps.sanity_review import Sanity, inspect_predictions

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def describe_prediction_checks(use_case: AnyUseCase) -> dict[str, str]:
    """The checks of predictions by name, each with what it holds and what to do when it fails."""
    rules = use_case.predictions
    limit = rules.max_fallback_share
    at_most = f"at most {limit:.0%} of the groups, and " if limit is not None else ""
    texts = {
        "every_group_covered": (
            "Every group has predictions of all that lies ahead, or a row that says why not. When "
            "it fails: group all partitions, then materialize this date again."
        ),
        sanity_check(use_case): (
            "Every prediction is a finite number within its interval, and narrower intervals lie "
            "within wider ones. "
            if isinstance(use_case, UseCase)
            else "Every prediction is a finite number, or a class with a probability. "
        )
        + (
            "When it fails: do not use these predictions; look at the worst groups' models, roll "
            f"these back ({use_case.name}_rollback) and materialize this date again."
        ),
        "few_fallbacks": (
            f"Stand-ins (the pooled model, the baseline) serve {at_most}no more than "
            f"{rules.max_fallback_rise:.0%} more than at the date before. When it fails: the table "
            "of reasons says why groups have no model of their own; train those partitions."
        ),
    }
    if use_case.target_is_number:
        texts["plausible"] = (
            f"No group is predicted more than {rules.max_ranges_outside:g} times the range of its "
            "history outside of it. When it fails: look whether the worst groups' data or model "
            "has run away; predictions.max_ranges_outside says how far is too far."
        )
    return texts


def sanity_check(use_case: AnyUseCase) -> str:
    """Name of the check of the values as such."""
    return "intervals_sane" if isinstance(use_case, UseCase) else "values_sane"


def judge_predictions(
    use_case: AnyUseCase, origin: datetime, *, lake: LakeResource, results: Results
) -> dict[str, CheckResult]:
    """Results by check of the predictions from one origin, as they are in the store."""
    found = {
        sanity_check(use_case): judge_sanity(inspect_predictions(use_case, origin, results)),
        "few_fallbacks": judge_fallbacks(review_fallbacks(origin, results), use_case.predictions),
    }
    if use_case.target_is_number:
        reviewed = review_plausibility(use_case, origin, lake.open(), results)
        limit = use_case.predictions.max_ranges_outside
        found["plausible"] = judge_plausibility(reviewed, limit)
    return found


def judge_sanity(found: Sanity) -> CheckResult:
    """Whether all predictions may be used as they are."""
    figures = {"predictions": found.rows, "wrong_predictions": found.faulty_rows, **found.faults}
    return CheckResult(
        found.holds, found.text, {**figures, **shown_table("worst_groups", found.worst)}
    )


def judge_fallbacks(found: FallbackReview, rules: PredictionRules) -> CheckResult:
    """Whether stand-ins serve too many groups: an error above the limit, a warning at a jump."""
    fallbacks = found.fallbacks
    too_many, jumped = fallbacks.too_many(rules), fallbacks.jumped(rules)
    text = fallbacks.text
    if too_many:
        text += f"; at most {rules.max_fallback_share:.1%} are allowed"
    if (too_many or jumped) and found.reasons:
        text += "; reasons: " + ", ".join(f"{r['reason']} {r['groups']}" for r in found.reasons)
    return CheckResult(
        not (too_many or jumped),
        text,
        {
            "served_groups": fallbacks.served,
            "fallback_groups": fallbacks.by_fallback,
            "fallback_share": fallbacks.share,
            **shown_table("reasons", found.reasons),
            **shown_table("worst_partitions", found.partitions),
        },
        ERROR if too_many else WARN,
    )


def judge_plausibility(found: Plausibility, most_ranges: float) -> CheckResult:
    """Whether all groups are predicted near what they have been; a warning where not."""
    figures = {"predicted_groups": found.groups, "implausible_groups": found.implausible}
    return CheckResult(
        not found.implausible,
        found.text(most_ranges),
        {**figures, **shown_table("worst_groups", found.worst)},
        WARN,
    )
