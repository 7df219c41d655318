"""The pooled model as one group's candidate: the partition's trees, in units of the group's level.

It is not fitted on the group's sample, but on all groups of the partition; see ``core.pooled``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.booster import StoredBooster
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.pooled.fit import forecast_rows
from many_models.core.forecast.pooled.outlook import PooledSpec, describe


@dataclass(frozen=True)
class Pooled:
    """The partition's trees for one group.

    ``level`` and ``codes`` (C,) are what its categories say, ``usual_known`` (K,) the means of the
    known features in its recent past.
    """

    trees: StoredBooster
    spec: PooledSpec
    level: float
    codes: Floats
    usual_known: Floats

    @property
    def memory(self) -> int:
        return self.spec.memory

    def predict(self, outlook: Outlook) -> Floats:
        spec, steps = self.spec, np.arange(1, len(outlook.x) + 1)
        recent = outlook.history[-spec.memory :]
        past = np.concatenate([np.full(spec.memory - len(recent), np.nan), recent])[None]
        rows = describe(spec, past, self.usual_known[None], np.zeros_like(steps), steps, outlook.x)
        levels, codes = np.full(len(steps), self.level), np.tile(self.codes, (len(steps), 1))
        return forecast_rows(self.trees, rows, levels, codes)
