"""Random numbers that are hashes of what they are for: however one is come by, it is the same.

The generator is splitmix64 (Steele, Lea and Flood, 2014) used as a counter-based one: a number is a
hash of a key (the seed, a group, what it is used for) with a counter (the day).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from many_models.core.arrays import Floats, Ints

Hashes = npt.NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15


def seed_key(seed: int) -> np.uint64:
    """The key that all others of a simulation come from."""
    return np.uint64(seed % 2**64)


def hash_with(key: Hashes | np.uint64, counters: Ints) -> Hashes:
    """A hash of each key with each counter, in the shape the two broadcast to."""
    return _mix(key + (counters.astype(np.int64).view(np.uint64) + np.uint64(1)) * np.uint64(_STEP))


def stream(key: Hashes, number: int) -> Hashes:
    """Independent keys for the ``number``-th use of ``key``."""
    return _mix(key ^ np.uint64(number * 0xD1B54A32D192ED03 % 2**64))


def uniform(hashes: Hashes) -> Floats:
    """Uniform on (0, 1): the upper 53 bits, shifted by half so that 0 never comes."""
    return ((hashes >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(hashes: Hashes) -> Floats:
    """Standard normal by Box and Muller (1958); the second uniform is a hash of the first."""
    radius = np.sqrt(-2 * np.log(uniform(hashes)))
    found: Floats = radius * np.cos(2 * np.pi * uniform(_mix(hashes + np.uint64(_STEP))))
    return found


def spells(
    key: Hashes,
    days: Ints,
    memory: int,
    fade: float,
    *,
    redrawn: Hashes | None = None,
    after: int | None = None,
) -> Floats:
    """Standard normal numbers that change slowly, by key (N, 1) and consecutive ``days`` (D).

    Each is a mean of as many days' as ``memory`` says, that of a day before weighing ``fade`` times
    as much. Those ``after`` a day are from the keys ``redrawn``, where it is given.
    """
    weights = fade ** np.arange(memory)
    weights /= np.sqrt((weights**2).sum())
    longer = np.arange(days[0] - memory + 1, days[-1] + 1)
    fresh = normal(hash_with(key, longer))
    if redrawn is not None and after is not None:
        fresh = np.where(longer > after, normal(hash_with(redrawn, longer)), fresh)
    windows = np.lib.stride_tricks.sliding_window_view(fresh, memory, axis=1)
    found: Floats = windows @ weights[::-1]
    return found


def realise(expected: Floats, dispersion: float, noise: Floats, chance: Floats) -> Floats:
    """Whole numbers of mean ``expected``: a log-normal factor of mean 1, rounded by chance.

    Of standard normal ``noise`` and uniform ``chance``. Rounding ``x`` down after adding a uniform
    number keeps its mean; the variance is about ``expected + (dispersion * expected)**2``.
    """
    positive = np.maximum(expected, 1e-12)
    log_variance = np.log1p(1 / positive + dispersion**2)
    factor = np.exp(np.sqrt(log_variance) * noise - log_variance / 2)
    return np.where(expected > 0, np.floor(expected * factor + chance), 0.0)


def names(prefix: str, numbers: Ints, repeats: int) -> pa.Array[Any]:
    """``s0001`` and so on, each so many times in a row."""
    values, index = np.unique(numbers, return_inverse=True)
    texts = pa.array([f"{prefix}{value + 1:04d}" for value in values])
    return texts.take(pa.array(np.repeat(index, repeats), type=pa.int64()))


def _mix(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
