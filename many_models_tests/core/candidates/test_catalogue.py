from __future__ import annotations

from typing import get_args

import numpy as np

from many_models.core.candidates.catalogue import CANDIDATES
from many_models.core.use_case import CandidateName
from many_models_tests.core.candidates.samples import NAN, ahead, make_rows, sample_of


def test_every_candidate_that_a_use_case_may_name_exists() -> None:
    assert set(CANDIDATES) == set(get_args(CandidateName))


def test_candidates_leave_their_input_as_it_was() -> None:
    x, y, linear = make_rows(50, 3)
    x[3, 1] = NAN
    before = x.copy(), y.copy(), linear.copy()
    for fit in CANDIDATES.values():
        fit(sample_of(x, y, linear)).predict(ahead(x, y))
    for array, copy in zip((x, y, linear), before, strict=True):
        np.testing.assert_array_equal(array, copy)
