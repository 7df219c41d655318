"""Which of a group's rows are held out: by time, or drawn with a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Ints
from many_models.core.tabular.use_case import Holdout


def choose_holdout(times: NDArray[np.datetime64], classes: Ints | None, rules: Holdout) -> Flags:
    """Rows (n) that are held out, of rows in order of time; ``classes`` are None in a regression.

    By time, no moment is divided: rows of one moment are all held out, or none. All or no rows may
    be held out, where all lie after the date or at one moment.
    """
    if rules.by == "time":
        if rules.start is not None:
            return times >= np.datetime64(rules.start)
        first = min(round(len(times) * (1 - rules.share)), len(times) - 1)
        held: Flags = times >= times[first]
        return held if not held.all() else times > times[first]
    strata = np.zeros(len(times), np.int64) if rules.by == "random" or classes is None else classes
    draw = np.random.default_rng(rules.seed)
    held = np.zeros(len(times), dtype=bool)
    for stratum in np.unique(strata):
        members = draw.permutation(np.flatnonzero(strata == stratum))
        count = max(1, round(len(members) * rules.share)) if len(members) > 1 else 0
        held[members[:count]] = True
    return held
