"""Public holidays of a region, by PyPI's ``holidays``.

What a model makes of them is not here: see ``calendar``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FAMILIES = ("h", "D")  # the frequencies that tell days apart


def check_region(region: str) -> None:
    """Whether the holidays of a region are known: a country's code such as US, or DE-BY.

    Raises:
        ValueError: they are not.
    """
    try:
        public_holidays(region, 2024, 2024)
    except NotImplementedError as error:
        raise ValueError(
            f"the holidays of {region!r} are unknown ({error}); give a country's code such as US, "
            "and that of its subdivision where it has its own: DE-BY"
        ) from error


@lru_cache(maxsize=64)
def public_holidays(region: str, first: int, last: int) -> NDArray[np.datetime64]:
    """Days of the public holidays of the years ``first`` to ``last``."""
    import holidays

    country, _, subdivision = region.partition("-")
    found = holidays.country_holidays(
        country, subdiv=subdivision or None, years=range(first, last + 1)
    )
    return np.array(sorted(found), dtype="datetime64[D]")
