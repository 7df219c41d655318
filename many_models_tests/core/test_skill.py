from __future__ import annotations

import numpy as np
import pytest

from many_models.core.skill import skill

SCORES = [(0.8, 1.0), (1.0, 1.0), (1.5, 1.0), (0.0, 2.0), (0.5, 0.0)]


def test_skill_is_the_share_of_the_baselines_error_that_is_gone() -> None:
    score, baseline = np.array(SCORES).T
    found = skill(score, baseline, higher_is_better=False)
    assert found[:4].tolist() == pytest.approx([0.2, 0.0, -0.5, 1.0])
    assert np.isnan(found[4])


def test_where_higher_is_better_an_error_is_what_lacks_to_one() -> None:
    found = skill(np.array([0.9, 0.8]), np.array([0.8, 1.0]), higher_is_better=True)
    assert found[0] == pytest.approx(0.5)
    assert np.isnan(found[1])
