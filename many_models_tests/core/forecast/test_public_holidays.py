from __future__ import annotations

import numpy as np
import pytest

from many_models.core.forecast.public_holidays import check_region, public_holidays


def test_holidays_are_those_of_the_country_and_of_its_subdivision() -> None:
    epiphany, christmas = np.array(["2024-01-06", "2024-12-25"], dtype="datetime64[D]")
    assert christmas in public_holidays("DE", 2024, 2024)
    assert epiphany not in public_holidays("DE", 2024, 2024)
    assert epiphany in public_holidays("DE-BY", 2024, 2024)


def test_holidays_are_of_all_years_from_the_first_to_the_last_in_order() -> None:
    found = public_holidays("US", 2023, 2025)
    assert sorted(set(found.astype("datetime64[Y]").astype(int) + 1970)) == [2023, 2024, 2025]
    assert (np.diff(found.astype(np.int64)) > 0).all()


@pytest.mark.parametrize("region", ["XX", "US-XX", "", "us of a"])
def test_an_unknown_region_is_refused(region: str) -> None:
    with pytest.raises(ValueError, match=f"the holidays of '{region}' are unknown .* such as US"):
        check_region(region)
