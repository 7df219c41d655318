from __future__ import annotations

from many_models.core.retraining import Deferral, Plan, Proposal
from many_models.core.retraining_causes import Cause
from many_models.core.retraining_summary import summarise


def test_nothing_to_do_is_said() -> None:
    assert summarise(Plan((), (), ())) == "No partition is due."


def test_a_plan_is_told_in_one_line() -> None:
    proposals = [
        Proposal("s1", Cause("drift", "", 5.0), 1, 90.0),
        Proposal("s2", Cause("drift", "", 5.0), 1, 30.0),
        Proposal("s3", Cause("age", "", 5.0), 1, 60.0),
        Proposal("s4", Cause("age", "", 5.0), 1, 0.0),
    ]
    deferrals = [
        Deferral("s5", "drift", "", "given_up", "given up after 3 requests"),
        Deferral("s6", "age", "", "cool_down", "cooling down until 2026-01-08 00:00"),
        Deferral("s7", "age", "", "cool_down", "cooling down until 2026-01-09 00:00"),
    ]
    assert summarise(Plan(proposals, deferrals, ())) == (
        "4 requested (2 for drift, 2 for age; about 3.0 core-minutes): s1, s2, s3 and 1 more; "
        "2 cooling down (s6, s7; age: cooling down until 2026-01-08 00:00); "
        "1 given up (s5; drift: given up after 3 requests)"
    )
