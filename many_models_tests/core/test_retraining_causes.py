from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from many_models.core.retraining_causes import Cause, PartitionState, find_causes, is_known
from many_models.core.retraining_rules import RetrainingRules
from many_models_tests.fakes_retraining import (
    DAY,
    STANDARD,
    START,
    make_drift,
    make_state,
    make_training,
)

RULES = RetrainingRules()


def causes(state: PartitionState, rules: RetrainingRules = RULES) -> dict[str, Cause]:
    return {str(reason): cause for reason, cause in find_causes(state, rules, STANDARD).items()}


def test_nothing_is_wrong_with_a_partition_that_was_trained_as_it_should_be() -> None:
    assert causes(make_state(drift=make_drift(drifted=1))) == {}


def test_a_partition_that_was_never_trained_is_new() -> None:
    (cause,) = causes(make_state(training=None, groups=7)).values()
    assert (cause.reason, cause.value) == ("new_groups", 7)
    assert cause.detail == "the partition was never trained; its 7 groups have no model"


@pytest.mark.parametrize(
    ("groups", "grown", "due"), [(104, 0, False), (105, 0, False), (106, 0, True), (103, 3, True)]
)
def test_new_groups_count_when_they_are_a_share_of_the_partition(
    groups: int, grown: int, due: bool
) -> None:
    state = make_state(training=make_training(groups=100), groups=groups, grown=grown)
    assert ("new_groups" in causes(state)) is due


def test_a_least_number_of_new_groups_may_be_asked_for() -> None:
    state = make_state(groups=12)
    assert "new_groups" in causes(state)
    assert causes(state, RetrainingRules(new_groups_min=3)) == {}


def test_drift_is_a_cause_when_more_than_the_allowed_share_of_those_judged_drifted() -> None:
    assert causes(make_state(drift=make_drift(drifted=1))) == {}
    cause = causes(make_state(drift=make_drift(drifted=2, excess=12345.6)))["drift"]
    assert cause.value == 12345.6
    assert cause.detail == (
        "2 of 10 judged champions drifted (20%, more than 10%); errors beyond what was promised "
        "add up to 1.235e+04"
    )


def test_drift_says_nothing_before_it_is_measured_again_after_a_training() -> None:
    fresh = make_training(trained_at=START)
    state = make_state(drift=make_drift(at=START), training=fresh)
    assert causes(state) == {}
    assert not is_known(state, "drift")
    later = replace(state, drift=make_drift(at=START + timedelta(seconds=1)))
    assert list(causes(later)) == ["drift"]


def test_champions_that_nobody_could_judge_say_nothing_about_drift() -> None:
    state = make_state(drift=make_drift(drifted=0, judged=0))
    assert causes(state) == {}
    assert not is_known(state, "drift")


def test_a_change_of_the_use_case_or_of_the_platform_is_a_cause() -> None:
    training = make_training(config_version="before", code_version="0.9")
    cause = causes(make_state(training=training))["changed"]
    assert cause.detail == (
        "the use case changed since the last training (before to config); the platform's version "
        "changed since the last training (0.9 to 1.0)"
    )
    assert (cause.value, cause.subject) == (10, "config 1.0")


def test_the_platforms_version_can_be_let_alone() -> None:
    rules = RetrainingRules(code_version=False)
    assert causes(make_state(training=make_training(code_version="0.9")), rules) == {}
    cause = causes(make_state(training=make_training(config_version="x")), rules)["changed"]
    assert cause.subject == "config"


def test_a_training_from_before_versions_were_written_down_is_not_a_change() -> None:
    assert causes(make_state(training=make_training(config_version=None))) == {}


def test_age_is_counted_in_days_of_data_since_the_last_training() -> None:
    def trained(days: int) -> PartitionState:
        return make_state(training=make_training(trained_through=START - days * DAY))

    assert causes(trained(90)) == {}
    cause = causes(trained(100))["age"]
    assert cause.value == 100  # ten groups, ten days too many
    assert "100 days before the last; at most 90 are allowed" in cause.detail


def test_only_the_reasons_that_count_are_found_in_their_order() -> None:
    training = make_training(config_version="x", trained_through=START - 200 * DAY)
    state = make_state(training=training, drift=make_drift(), groups=20)
    assert list(causes(state)) == ["new_groups", "drift", "changed", "age"]
    assert list(causes(state, RetrainingRules(reasons=("age", "drift")))) == ["age", "drift"]


def test_whose_champions_drifted_tells_whether_a_training_was_tried_since() -> None:
    through = {START - 30 * DAY: 3, START - 2 * DAY: 2}
    cause = Cause("drift", "", 1.0, drifted_by_through=through)
    assert cause.is_of(make_training(trained_through=START - 30 * DAY))
    assert not cause.is_of(make_training(trained_through=START - 2 * DAY))
    assert not cause.concerns_others(START - 30 * DAY)
    assert cause.concerns_others(START - 31 * DAY)
    assert not cause.concerns_others(None)
    assert cause.champions_through == START - 2 * DAY
