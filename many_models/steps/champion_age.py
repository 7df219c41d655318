"""Which champions are too old: trained on data of long ago, and not challenged since.

A champion that has beaten a younger challenger is old and still the best: training again would not
make it younger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Floats
from many_models.steps.results import Results

DAY = np.timedelta64(1, "D")


def find_stale(
    group_keys: Sequence[str],
    ages: Floats,
    data_through: NDArray[np.datetime64],
    results: Results,
) -> Flags:
    """Champions (G) of which more than the use case's days of data have come, in ``ages`` (days).

    Not those whose group's last model, ``data_through`` being the last time of the data, is young.
    """
    limit = results.use_case.drift.age_of(results.use_case.frequency)
    stale: Flags = ages > limit
    view = results.name("latest_ledger")
    if not stale.any():
        return stale
    rows = results.store.query(
        f"SELECT group_key, trained_through FROM \"{view}\" WHERE status = 'trained'"
    )
    through = pd.to_datetime(pd.Series(rows["trained_through"].to_pylist(), dtype=object))
    last = dict(zip(rows["group_key"].to_pylist(), through, strict=True))
    challenged = pd.to_datetime(pd.Series([last.get(key) for key in group_keys], dtype=object))
    days: Floats = (data_through - challenged.to_numpy("datetime64[us]")) / DAY
    outlasted: Flags = days <= limit
    return stale & ~outlasted
