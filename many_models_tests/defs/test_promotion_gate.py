"""What an operator reads of the gate before production."""

from collections import Counter
from dataclasses import fields

import dagster as dg

from many_models.core.use_case import PromotionRules
from many_models.defs.promotion_gate import RULES, describe_rules, judge_share
from many_models.defs.registry_pages import RegistryPages
from many_models.steps.judge import PartitionVerdict

WORST = [{"group_key": "store=1", "score": 1.4, "why not": "score 1.4 is above max_score 1.2"}]


def test_too_few_qualified_models_fail_the_rules() -> None:
    result = judge_share(PartitionVerdict("run", judged=4, qualified=1, share=0.25, accepted=False))
    assert (result.passed, result.description) == (False, "1 of 4 models qualify")
    retrained = PartitionVerdict("run", judged=4, qualified=1, share=0.75, accepted=True)
    text = "1 of 4 models qualify; 2 more would, but for their champions"
    assert judge_share(retrained).description == text
    assert result.metadata["share"] == 0.25


def test_a_partition_without_models_passes_and_says_so() -> None:
    result = judge_share(PartitionVerdict("run", judged=0, qualified=0, share=1.0, accepted=True))
    assert result.passed
    assert result.description == "no model was trained, so none goes to production"


def test_rules_are_described_as_an_operator_reads_them() -> None:
    rules = PromotionRules(max_score=1.2, beat_baseline_by=0.02, min_share=0.5)
    assert describe_rules(rules) == (
        "At least 50% of the models qualify for production: max score 1.2, "
        "beat baseline by 0.02, beat champion by 0. When it fails, the partition keeps its "
        "champions: look which rule keeps models out and at the worst groups' data; add features "
        "or candidates, or change `promotion` in the use case."
    )


def test_it_says_which_rule_keeps_out_how_many_and_names_the_worst() -> None:
    broken = Counter({"max_score": 1, "beat_baseline_by": 3})
    verdict = PartitionVerdict("run", 4, 1, 0.25, accepted=False, broken=broken)
    result = judge_share(verdict, WORST, RegistryPages("training", "sqlite:///mlflow.db"))
    assert result.description == (
        "1 of 4 models qualify; against the others: beat_baseline_by 3, max_score 1; "
        "the worst is store=1: score 1.4 is above max_score 1.2"
    )
    assert [result.metadata[f"against_{rule}"] for rule in RULES] == [1, 0, 3, 0, 0]
    assert "| store=1 | 1.4 |" in result.metadata["worst_groups"].value
    assert result.metadata["mlflow"] == dg.MetadataValue.text("many-models mlflow training")


def test_a_gate_that_is_open_does_not_name_the_worst() -> None:
    verdict = PartitionVerdict("run", 4, 3, 0.75, accepted=True, broken={"max_score": 1})
    assert judge_share(verdict, WORST).description == (
        "3 of 4 models qualify; against the others: max_score 1"
    )


def test_every_rule_is_counted() -> None:
    names = {*PromotionRules.model_fields} - {"min_share"}
    assert set(RULES) == names
    assert "broken" in {field.name for field in fields(PartitionVerdict)}
