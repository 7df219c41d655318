"""Rows that the pooled model learns from: some of each group's past, as many as memory bears.

Which ones is a matter of the group's key and the period alone, so that any sharding gives the same.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.dataset import Dataset, read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.panel import Panel, build_panel, count_observed, first_observed
from many_models.core.forecast.pooled.outlook import PooledRows, PooledSpec, describe, past_at
from many_models.core.forecast.use_case import UseCase
from many_models.core.isolation import run_isolated
from many_models.core.keys import group_key

CATEGORY = pa.dictionary(pa.int32(), pa.string())
DRAWS = 4
"""Rows for each period of the past, at most: a row has one step ahead, and one age of its group."""

ROWS_A_GROUP = 20
"""Rows of a group, at least: building its features for fewer is a waste."""

YOUNG = 0.3
"""Share of the rows that look at less than there is, so that the model learns to do with little."""

Hashes = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)


def sample_rows(
    table: pa.Table, use_case: UseCase, *, trained_through: np.datetime64, groups: int
) -> pa.Table:
    """Rows of a shard's groups, of which the partition has ``groups``: see ``rows_schema``.

    A group that cannot be read has none. Where all groups are too many, only some are taken.
    """
    dataset = read_dataset(table, use_case)
    origin = int(use_case.frequency.to_period(np.array([trained_through]))[0])
    observed = np.flatnonzero(count_observed(dataset, origin) > 0)
    usable = np.setdiff1d(observed, list(dataset.problems))
    rows_a_group = max(use_case.pooled.rows // groups, ROWS_A_GROUP)
    share = use_case.pooled.rows / (groups * rows_a_group)
    usable = usable[_uniform(_mix(_hash_keys(dataset, usable, use_case))) < share]
    found = run_isolated(
        usable,
        origin + 1 - first_observed(dataset, origin)[usable],
        lambda groups: {int(groups[0]): _sample(dataset, groups, use_case, origin, rows_a_group)},
        lambda *_: rows_schema(use_case).empty_table(),
    )
    return pa.concat_tables([rows_schema(use_case).empty_table(), *found.values()])


def rows_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the sampled rows.

    ``group`` is a hash of the key, ``period`` the one that the ``target`` is of; lists are those of
    ``PooledRows``; keys and static features are text.
    """
    return pa.schema(
        [
            ("group", pa.uint64()),
            ("period", pa.int64()),
            ("draw", pa.int64()),
            ("target", pa.float64()),
            ("level", pa.float64()),
            ("seen", pa.int64()),
            ("scaled", pa.list_(pa.float32())),
            ("plain", pa.list_(pa.float32())),
            *((name, CATEGORY) for name in category_columns(use_case)),
        ]
    )


def category_columns(use_case: UseCase) -> tuple[str, ...]:
    """Columns whose values groups may share."""
    return (*use_case.keys, *use_case.features.static)


def category_values(dataset: Dataset, group: int) -> tuple[str, ...]:
    """One group's values of the ``category_columns``."""
    return (*dataset.keys[group], *dataset.statics[group])


def _sample(
    dataset: Dataset, groups: Ints, use_case: UseCase, origin: int, rows_a_group: int
) -> pa.Table:
    feature_spec = FeatureSpec.of(use_case)
    spec = PooledSpec.of(feature_spec)
    panel = build_panel(dataset, groups, use_case, origin=origin)
    features = build_features(panel, feature_spec)
    hashes = _hash_keys(dataset, groups, use_case)
    at, draw, chance = _choose(panel, hashes, rows_a_group)
    rows = _describe(spec, panel, features, at, chance)
    of = np.searchsorted(panel.offsets, at, side="right") - 1
    columns: dict[str, object] = {
        "group": hashes[of],
        "period": panel.periods[at],
        "draw": draw,
        "target": panel.target[at],
        "level": rows.level,
        "seen": rows.seen,
        "scaled": _as_lists(rows.scaled),
        "plain": _as_lists(rows.plain),
    }
    values = zip(*(category_values(dataset, group) for group in groups), strict=True)
    for name, texts in zip(category_columns(use_case), values, strict=True):
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        columns[name] = encoded.take(pa.array(of))
    return pa.table(columns, schema=rows_schema(use_case))


def _choose(panel: Panel, hashes: Hashes, rows_a_group: int) -> tuple[Ints, Ints, Hashes]:
    """Places (N,) in the panel, which draw of theirs it is, and a hash of each."""
    at = np.flatnonzero(~np.isnan(panel.target))
    at, draw = np.repeat(at, DRAWS), np.tile(np.arange(DRAWS), len(at))
    of = np.searchsorted(panel.offsets, at, side="right") - 1
    count = (panel.periods[at] * DRAWS + draw).astype(np.uint64)
    chance = _mix(hashes[of] + (count + np.uint64(1)) * _STEP)
    order = np.lexsort((chance, of))
    firsts = np.searchsorted(of, np.arange(len(hashes)))
    rank = np.arange(len(of)) - firsts[of[order]]
    chosen = np.sort(order[rank < rows_a_group])
    return at[chosen], draw[chosen], chance[chosen]


def _describe(
    spec: PooledSpec, panel: Panel, features: Floats, at: Ints, chance: Hashes
) -> PooledRows:
    of = np.searchsorted(panel.offsets, at, side="right") - 1
    step, young, age = (_uniform(_mix(chance + np.uint64(n))) for n in (1, 2, 3))
    steps = 1 + np.floor(step * spec.horizon).astype(np.int64)
    ages = np.floor(np.exp(age * np.log(spec.memory + 1)) - 0.5).astype(np.int64)
    ages = np.where(young < YOUNG, ages, spec.memory)
    past, usual = past_at(spec, panel, of, panel.periods[at] - steps, ages, features)
    return describe(spec, past, usual, np.arange(len(at)), steps, features[at])


def _as_lists(values: Floats) -> pa.Array:
    flat = pa.array(values.astype(np.float32).ravel())
    offsets = np.arange(len(values) + 1) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat)


def _hash_keys(dataset: Dataset, groups: Ints, use_case: UseCase) -> Hashes:
    names = [group_key(use_case.keys, dataset.keys[group]) for group in groups]
    return np.array([_hash_text(name) for name in names], dtype=np.uint64)


def _hash_text(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mix(values: Hashes) -> Hashes:
    """Splitmix64 (Steele, Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _uniform(hashes: Hashes) -> Floats:
    """Uniform on [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
