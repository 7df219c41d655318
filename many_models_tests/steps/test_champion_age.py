from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from many_models.steps.champion_age import find_stale
from many_models.steps.results import open_results
from many_models_tests.fakes import make_use_case
from many_models_tests.retraining_tables import THROUGH, put_ledger


def test_a_champion_is_stale_unless_it_has_beaten_a_younger_challenger(tmp_path: Path) -> None:
    results = open_results(f"sqlite:///{tmp_path}/results.db", make_use_case())
    keys, ages = ["young", "beaten", "failed", "old"], np.array([80.0, 120.0, 120.0, 120.0])
    through = np.array([THROUGH] * 4, dtype="datetime64[us]")
    assert find_stale(keys, ages, through, results).tolist() == [False, True, True, True]
    put_ledger(
        results,
        "s1",
        "run",
        THROUGH - timedelta(days=10),
        {"group_key": "beaten"},
        {"group_key": "failed", "status": "failed"},
    )
    put_ledger(results, "s2", "before", THROUGH - timedelta(days=120), {"group_key": "old"})
    assert find_stale(keys, ages, through, results).tolist() == [False, False, True, True]


def test_an_age_that_is_not_known_is_no_fault(tmp_path: Path) -> None:
    results = open_results(f"sqlite:///{tmp_path}/results.db", make_use_case())
    nothing = np.array(["NaT"], dtype="datetime64[us]")
    assert find_stale(["k"], np.array([np.nan]), nothing, results).tolist() == [False]
