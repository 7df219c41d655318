"""The gate before production as an operator sees it: the rules, and what they keep out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from many_models.core.use_case import PromotionRules
from many_models.defs.check_results import CheckResult, shown_table
from many_models.defs.registry_pages import RegistryPages
from many_models.steps.judge import PartitionVerdict

RULES = ("max_score", "min_score", "beat_baseline_by", "min_coverage", "beat_champion_by")


def describe_rules(rules: PromotionRules) -> str:
    """The promotion rules, and what to do when too few models hold them."""
    given = rules.model_dump(exclude_none=True, exclude={"min_share"})
    text = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in given.items())
    return (
        f"At least {rules.min_share:.0%} of the models qualify for production: {text}. When it "
        "fails, the partition keeps its champions: look which rule keeps models out and at the "
        "worst groups' data; add features or candidates, or change `promotion` in the use case."
    )


def judge_share(
    verdict: PartitionVerdict,
    worst: Sequence[Mapping[str, Any]] = (),
    pages: RegistryPages | None = None,
) -> CheckResult:
    """Whether enough of one partition's models qualify; a partition without models passes.

    ``worst`` are models that do not, the worst first.
    """
    figures = {name: figure for name, figure in asdict(verdict).items() if name != "broken"}
    figures |= {f"against_{rule}": verdict.broken.get(rule, 0) for rule in RULES}
    figures |= shown_table("worst_groups", worst)
    if pages:
        figures["mlflow"] = pages.link
    return CheckResult(verdict.accepted, _describe(verdict, worst), figures)


def _describe(verdict: PartitionVerdict, worst: Sequence[Mapping[str, Any]]) -> str:
    if not verdict.judged:
        return "no model was trained, so none goes to production"
    text = f"{verdict.qualified} of {verdict.judged} models qualify"
    if outdone := round(verdict.share * verdict.judged) - verdict.qualified:
        text += f"; {outdone} more would, but for their champions"
    if verdict.broken:
        counts = sorted(verdict.broken.items(), key=lambda item: (-item[1], item[0]))
        text += "; against the others: " + ", ".join(f"{rule} {n}" for rule, n in counts)
    if worst and not verdict.accepted:
        text += f"; the worst is {worst[0]['group_key']}: {worst[0]['why not']}"
    return text
