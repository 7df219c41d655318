from __future__ import annotations

from datetime import datetime
from pathlib import Path

from many_models.core.forecast.scoring import scoring_schema
from many_models.core.prediction_rules import Fallbacks
from many_models.steps.fallback_review import review_fallbacks
from many_models.steps.results import Results
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results, put_rows

USE_CASE = make_use_case()
MONDAY, TUESDAY = datetime(2024, 3, 4), datetime(2024, 3, 5)


def _score(results: Results, origin: datetime, **sources: tuple[str, str | None]) -> None:
    """Serve groups of stores named after them, each by a source and for a reason."""
    rows = [
        {"store": store[0], "item": store, "source": source, "reason": reason}
        for store, (source, reason) in sources.items()
    ]
    put_rows(results, "scoring", scoring_schema(USE_CASE), rows, origin)


def test_stand_ins_are_counted_beside_the_origin_before(tmp_path: Path) -> None:
    results = make_results(tmp_path, USE_CASE)
    own, failed = ("model", None), ("pooled", "champion_failed")
    _score(results, MONDAY, a1=own, a2=own, b1=own, b2=("baseline", "no_champion"))
    _score(
        results, TUESDAY, a1=own, a2=failed, b1=failed, b2=("baseline", "no_champion"), c1=failed,
        c2=("none", "no_observations"),
    )  # fmt: skip

    assert review_fallbacks(MONDAY, results).fallbacks == Fallbacks(4, 1, None)
    found = review_fallbacks(TUESDAY, results)

    assert found.fallbacks == Fallbacks(served=5, by_fallback=4, previous_share=0.25)
    assert [(r["source"], r["reason"], r["groups"]) for r in found.reasons] == [
        ("pooled", "champion_failed", 3),
        ("baseline", "no_champion", 1),
    ]
    assert [(p["partition"], p["served"], p["by_stand_in"]) for p in found.partitions] == [
        ("b", 2, 2),
        ("a", 2, 1),
        ("c", 1, 1),
    ]


def test_an_origin_of_which_nothing_was_predicted_has_none(tmp_path: Path) -> None:
    results = make_results(tmp_path, USE_CASE)
    _score(results, MONDAY)
    found = review_fallbacks(MONDAY, results)
    assert (found.fallbacks, found.reasons, found.partitions) == (Fallbacks(0, 0, None), (), ())
