"""Small data for candidates: features, targets, and what lies ahead."""

from __future__ import annotations

import numpy as np

from many_models.core.arrays import Flags, Floats
from many_models.core.forecast.candidates.port import Outlook, Sample

NAN = float("nan")


def sample_of(x: Floats, y: Floats, linear: Flags) -> Sample:
    return Sample(x, y, linear, season=7, horizon=14, origin=len(y) - 1)


def ahead(x: Floats, naive: Floats, history: Floats | None = None) -> Outlook:
    """An outlook whose ``history`` begins with period 0, as samples do."""
    known = np.empty(0) if history is None else history
    return Outlook(x, naive, known, origin=len(known) - 1)


def make_rows(rows: int, columns: int, seed: int = 0) -> tuple[Floats, Floats, Flags]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(rows, columns)) * np.logspace(-3, 3, columns)
    weights = chance.normal(size=columns) / x.std(axis=0)
    return x, x @ weights + chance.normal(size=rows) + 20, np.ones(columns, dtype=bool)
