"""What is usual in a partition: the level of a group of which we know only its categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Flags, Floats, Ints

SHRINKAGE = 3.0  # groups of one value that count as much as all others
SWEEPS = 5
LEVELS_MAX = 250  # values of a category that are told apart


@dataclass(frozen=True)
class Usual:
    """The level of a group that nothing is known of but its categories.

    A level is exp(``overall`` + the sum of its values' ``effects``), one mapping a column; a value
    that too few groups share has none. ``codes`` number the values for the trees.
    """

    overall: float
    effects: tuple[dict[str, float], ...]

    def level(self, values: Sequence[str]) -> float:
        found = (of.get(value, 0.0) for of, value in zip(self.effects, values, strict=True))
        return float(np.exp(self.overall + sum(found)))

    def codes(self, values: Sequence[str]) -> Floats:
        """Number (C,) of each value, NaN for one that is not known."""
        numbers = (
            list(of).index(value) if value in of else np.nan
            for of, value in zip(self.effects, values, strict=True)
        )
        return np.array(list(numbers), dtype=np.float64)

    def look_up(self, table: pa.Table, columns: Sequence[str]) -> tuple[Floats, Floats]:
        """Level (N,) and codes (N, C) of the categories in the ``columns`` of sampled rows."""
        level = np.full(len(table), self.overall)
        codes = np.full((len(table), len(columns)), np.nan)
        for column, (name, effects) in enumerate(zip(columns, self.effects, strict=True)):
            values, place = _encode(table, name)
            number = {value: code for code, value in enumerate(effects)}
            level += np.array([effects.get(value, 0.0) for value in values])[place]
            codes[:, column] = np.array([number.get(value, np.nan) for value in values])[place]
        return np.exp(level), codes


def find_usual(table: pa.Table, columns: Sequence[str]) -> Usual | None:
    """What sampled rows say; None where no group was ever seen above zero.

    The effects are random ones, shrunk towards zero by the number of groups they rest on, and found
    by backfitting: one column after the other, on what the others leave.
    """
    seen = table.filter(pc.is_finite(table["level"]))
    if not len(seen):
        return None
    _, firsts, of = np.unique(seen["group"].to_numpy(), return_index=True, return_inverse=True)
    level = np.bincount(of, np.log(seen["level"].to_numpy())) / np.bincount(of)
    overall = float(np.median(level))
    found = [_Effects.of(seen.take(firsts), name) for name in columns]
    rest = level - overall
    for _ in range(SWEEPS):
        for effects in found:
            rest = effects.learn(rest)
    return Usual(overall, tuple(effects.as_mapping() for effects in found))


@dataclass
class _Effects:
    """Effects of one column's ``values`` (V); ``place`` (G,) says which one each group has."""

    values: list[str]
    place: Ints
    shared: Flags
    sizes: Floats

    @classmethod
    def of(cls, groups: pa.Table, name: str) -> _Effects:
        values, place = _encode(groups, name)
        counts = np.bincount(place, minlength=len(values))
        return cls(values, place, _shared(counts, values), np.zeros(len(values)))

    def learn(self, rest: Floats) -> Floats:
        """Take over what ``rest`` (G,) says beyond the effects so far; returns the new rest."""
        rest = rest + self.sizes[self.place]
        sums = np.bincount(self.place, rest, minlength=len(self.values))
        counts = np.bincount(self.place, minlength=len(self.values))
        self.sizes = np.where(self.shared, sums / (counts + SHRINKAGE), 0.0)
        left: Floats = rest - self.sizes[self.place]
        return left

    def as_mapping(self) -> dict[str, float]:
        found = zip(self.values, self.sizes.tolist(), self.shared, strict=True)
        return {value: size for value, size, shared in sorted(found) if shared}


def _shared(count: Ints, values: Sequence[str]) -> Flags:
    """Which values tell groups apart: those of several groups, but not of all; the commonest."""
    order = sorted(range(len(values)), key=lambda n: (-count[n], values[n]))
    told_apart = np.zeros(len(values), dtype=bool)
    told_apart[order[:LEVELS_MAX]] = True
    several: Flags = (count > 1) & (count < count.sum())
    return told_apart & several


def _encode(table: pa.Table, name: str) -> tuple[list[str], Ints]:
    encoded = table[name].cast(pa.string()).combine_chunks().dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
