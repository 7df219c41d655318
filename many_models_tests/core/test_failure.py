from __future__ import annotations

from many_models.core.failure import TRACEBACK_LENGTH, describe_error, describe_failures


def _raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_an_error_says_what_and_where() -> None:
    problem = describe_error("training_error", _raised("no luck"))
    assert (problem.reason, problem.error) == ("training_error", "ValueError: no luck")
    assert problem.traceback is not None
    assert problem.traceback.startswith("Traceback (most recent call last)")
    assert "in _raised" in problem.traceback
    assert problem.traceback.endswith("ValueError: no luck")


def test_a_long_traceback_keeps_its_end() -> None:
    problem = describe_error("training_error", _raised("x" * 3 * TRACEBACK_LENGTH + " end"))
    assert problem.traceback is not None
    assert problem.traceback.endswith("x end")
    assert len(problem.traceback) <= TRACEBACK_LENGTH + len("... ")


def test_candidates_fail_together_in_one_problem() -> None:
    failed = {name: describe_error("any", _raised(f"of {name}")) for name in ("ridge", "ets")}
    problem = describe_failures(failed)
    assert problem is not None
    assert problem.reason == "candidate_failed"
    assert problem.error == "ridge: ValueError: of ridge; ets: ValueError: of ets"
    assert problem.traceback is not None
    assert "ridge: Traceback" in problem.traceback
    assert "\nets: Traceback" in problem.traceback


def test_no_failure_is_no_problem() -> None:
    assert describe_failures({}) is None
