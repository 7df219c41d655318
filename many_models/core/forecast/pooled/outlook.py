"""What the pooled model looks at: the recent past of a group in units of its own level.

A row is a group's period some steps after an origin. Whatever the row holds of the target was
observed through that origin, so a row serves every booster whose data reaches to its period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.forecast.calendar import CALENDAR, HOLIDAYS
from many_models.core.forecast.features import SEASONS_AVERAGED, FeatureSpec
from many_models.core.forecast.panel import Panel


@dataclass(frozen=True)
class PooledSpec:
    """Which columns a row has. ``taken`` (p,) marks those of the feature matrix that it takes over.

    ``known`` (K,) are the places of the known features in that matrix, ``windows`` the lengths of
    the averages over the target's past, ``cycles`` the seasons whose last values it looks up.
    """

    horizon: int
    windows: tuple[int, ...]
    cycles: tuple[int, ...]
    known: tuple[int, ...]
    taken: tuple[int, ...]

    @classmethod
    def of(cls, spec: FeatureSpec) -> PooledSpec:
        names = spec.names
        cycles = {int(cycle.periods) for cycle in spec.frequency.cycles if cycle.periods % 1 == 0}
        longest = max(*spec.windows, SEASONS_AVERAGED * spec.frequency.season)
        taken = {*spec.known, *CALENDAR[spec.frequency.family], *HOLIDAYS}
        return cls(
            horizon=spec.horizon,
            windows=spec.windows,
            cycles=tuple(sorted(c for c in {spec.frequency.season, *cycles} if c <= longest)),
            known=tuple(names.index(name) for name in spec.known),
            taken=tuple(n for n, name in enumerate(names) if name in taken),
        )

    @property
    def memory(self) -> int:
        """Periods through an origin that a row looks at."""
        return max(*self.windows, SEASONS_AVERAGED * self.cycles[0], self.cycles[-1])

    @property
    def level_window(self) -> int:
        """Periods over which a group's level is taken."""
        return self.windows[min(1, len(self.windows) - 1)]


@dataclass(frozen=True)
class PooledRows:
    """``N`` rows: ``scaled`` (N, S) are in the target's unit, ``plain`` (N, P) in none.

    ``level`` (N,) is the root mean square of the target, NaN where it was not seen above zero in
    the spec's memory, ``seen`` (N,) counts the periods in which it was observed there.
    """

    level: Floats
    seen: Ints
    scaled: Floats
    plain: Floats


def describe(
    spec: PooledSpec, past: Floats, usual: Floats, of: Ints, steps: Ints, x: Floats
) -> PooledRows:
    """Rows (N) from M pasts: row n is ``steps[n]`` periods after the origin of past ``of[n]``.

    ``past`` (M, T) is the target of the last T periods through each origin, NaN where it was not
    observed, T being the spec's memory; ``usual`` (M, K) the mean of each known feature there, and
    ``x`` (N, p) the feature matrix at the rows' periods.
    """
    there = ~np.isnan(past)
    seen = there.sum(axis=1)
    known = np.where(there, past, 0.0)
    level = _root_mean_square(known, there, spec.level_window)
    level = np.where(level > 0, level, _root_mean_square(known, there, past.shape[1]))
    averages = [_mean(known[:, -w:], there[:, -w:]) for w in spec.windows]
    recent = np.column_stack([*averages, _last(past)])
    seasonal = [column for cycle in spec.cycles for column in _seasonal(past, of, steps, cycle)]
    zeros = np.divide(((past == 0) & there).sum(axis=1), np.maximum(seen, 1))
    now = x[:, spec.known]
    size = np.abs(usual[of])
    unusual = np.divide(now - usual[of], size, out=np.zeros_like(now), where=size > 0)
    return PooledRows(
        level=np.where(level > 0, level, np.nan)[of],
        seen=seen[of],
        scaled=np.column_stack([recent[of], *seasonal]),
        plain=np.column_stack([steps, seen[of], zeros[of], x[:, spec.taken], unusual]),
    )


def rows_ahead(spec: PooledSpec, panel: Panel, features: Floats, origins: Ints) -> PooledRows:
    """Rows of the horizon after each origin: group by group, origin by origin (G x O x H)."""
    steps = np.arange(1, spec.horizon + 1)
    groups = np.repeat(np.arange(len(panel.starts)), len(origins))
    all_origins = np.tile(origins, len(panel.starts))
    ages = np.full(len(groups), spec.memory)
    past, usual = past_at(spec, panel, groups, all_origins, ages, features)
    at = panel.rows_at(origins[:, None] + steps).ravel()
    of = np.repeat(np.arange(len(past)), spec.horizon)
    begun = at >= np.repeat(panel.offsets[:-1], len(origins) * spec.horizon)
    x = np.where(begun[:, None], features[np.maximum(at, 0)], np.nan)
    return describe(spec, past, usual, of, np.tile(steps, len(past)), x)


def past_at(
    spec: PooledSpec, panel: Panel, groups: Ints, origins: Ints, ages: Ints, features: Floats
) -> tuple[Floats, Floats]:
    """Target (M, T) of ``groups`` (M,) through ``origins`` (M,), and mean known features (M, K).

    ``ages`` (M,) is how many periods through the origin are looked at.
    """
    back = np.arange(spec.memory - 1, -1, -1)
    at = (panel.offsets[groups + 1] - 1 - (panel.origin + panel.ahead - origins))[:, None] - back
    there = (at >= panel.offsets[groups][:, None]) & (back < ages[:, None])
    at = np.maximum(at, 0)
    past = np.where(there, panel.target[at], np.nan)
    means = [_mean_there(features[:, column], at, there) for column in spec.known]
    return past, np.column_stack([*means, np.empty((len(at), 0))])


def _mean_there(values: Floats, at: Ints, there: Flags) -> Floats:
    found = np.where(there, values[at], np.nan)
    return _mean(np.nan_to_num(found), ~np.isnan(found))


def _mean(values: Floats, there: Flags) -> Floats:
    """Mean (M,) of ``values`` (M, T), zero where they are not there."""
    count = there.sum(axis=1)
    return np.where(count > 0, values.sum(axis=1) / np.maximum(count, 1), np.nan)


def _root_mean_square(values: Floats, there: Flags, window: int) -> Floats:
    return np.sqrt(np.nan_to_num(_mean(values[:, -window:] ** 2, there[:, -window:])))


def _last(past: Floats) -> Floats:
    """Last observed value (M,)."""
    place = np.where(np.isnan(past), 0, np.arange(past.shape[1])).max(axis=1)
    last: Floats = past[np.arange(len(past)), place]
    return last


def _seasonal(past: Floats, of: Ints, steps: Ints, cycle: int) -> tuple[Floats, Floats]:
    """The same period of the last cycle, and its mean over the last few cycles."""
    first = past.shape[1] - 1 + steps - -(-steps // cycle) * cycle
    found = []
    for extra in range(SEASONS_AVERAGED):
        place = first - extra * cycle
        values = past[of, np.maximum(place, 0)]
        found.append(np.where(place >= 0, values, np.nan))
    stack = np.column_stack(found)
    return found[0], _mean(np.nan_to_num(stack), ~np.isnan(stack))
