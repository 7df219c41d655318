from __future__ import annotations

from typing import get_args

from many_models.core.candidates.catalogue import CANDIDATES
from many_models.core.use_case import CandidateName


def test_every_candidate_that_a_use_case_may_name_exists() -> None:
    assert set(CANDIDATES) == set(get_args(CandidateName))
