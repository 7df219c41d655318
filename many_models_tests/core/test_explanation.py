from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.arrays import Floats
from many_models.core.explanation import (
    EFFECTS,
    EFFECTS_TYPE,
    FEATURES_MAX,
    ModelEffect,
    as_rows,
    explain,
    explanation_schema,
    explanation_table,
    share_out,
    write_explanations,
)
from many_models.core.forecast.candidates.effects import Effect
from many_models.core.forecast.candidates.ensemble import Ensemble
from many_models.core.forecast.candidates.level import Level
from many_models.core.forecast.candidates.port import FittedCandidate, Outlook, Sample
from many_models.core.forecast.candidates.ridge import fit_ridge
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case()
NAMES = ("small unit", "large unit", "constant")


def make_sample(scale: float = 1.0) -> Sample:
    """The first feature moves the target as much as the second does, in another unit."""
    noise = np.random.default_rng(0).normal(size=(200, 2))
    x = np.column_stack([noise[:, 0] * 1e3, noise[:, 1] * 1e-3, np.ones(200)])
    y = scale * (x[:, 0] / 1e3 + x[:, 1] * 1e3)
    return Sample(x, y, np.ones(3, dtype=bool), 7, 14, 199)


@dataclass(frozen=True)
class Told:
    """A fitted candidate that says what it is told to."""

    found: tuple[Effect, ...]
    memory: int = 0

    def predict(self, outlook: Outlook) -> Floats:
        return outlook.naive

    def effects(self, sample: Sample, names: tuple[str, ...]) -> tuple[Effect, ...]:
        return self.found


def of(fitted: FittedCandidate, name: str = "one") -> tuple[ModelEffect, ...]:
    return explain(name, fitted, make_sample(), NAMES)


@pytest.mark.parametrize("scale", [1.0, 1e9, 1e-9, 1e150])
def test_features_are_compared_in_units_of_their_standard_deviation(scale: float) -> None:
    sample = make_sample(scale)
    found = {effect.feature: effect for effect in explain("r", fit_ridge(sample), sample, NAMES)}
    first, second = found["large unit"], found["small unit"]
    assert found.keys() - set(NAMES) <= {"trend"}
    assert "constant" not in found
    assert first.value / second.value == pytest.approx(1e6, rel=0.1)
    assert first.standardised == pytest.approx(second.standardised, rel=0.2)
    assert first.share == pytest.approx(0.5, abs=0.05)
    assert (first.share or 0) + (second.share or 0) == pytest.approx(1, abs=0.05)


def test_the_largest_effect_comes_first_and_what_does_nothing_is_left_out() -> None:
    told = Told((Effect("gain", "b", 1.0), Effect("gain", "a", 3.0), Effect("gain", "c", 0.0)))
    found = [(effect.feature, effect.share, effect.share_rank) for effect in of(told)]
    assert found == [("a", 0.75, 1), ("b", 0.25, 2)]


def test_the_share_of_an_ensembles_member_is_its_weight() -> None:
    trees = Told((Effect("gain", "a", 3.0), Effect("gain", "b", 1.0)))
    theta = Told((Effect("form", "STM", 1.0), Effect("parameter", "alpha", 0.5)))
    ensemble = Ensemble(
        (trees, theta, Level("mean", 3)), (0.8, 0.15, 0.05), ("trees", "theta", "mean")
    )
    found = of(ensemble, "ensemble_weighted")
    weights = {e.member: e.value for e in found if e.effect == "weight"}
    assert weights == {"trees": 0.8, "theta": 0.15, "mean": 0.05}
    shares = {(e.member, e.feature): e.share for e in found if e.share is not None}
    assert shares == {("trees", "a"): pytest.approx(0.6), ("trees", "b"): pytest.approx(0.2)}
    structure = [(e.member, e.effect, e.feature) for e in found if e.share is None]
    assert ("theta", "form", "STM") in structure
    assert ("theta", "parameter", "alpha") in structure


def test_members_of_a_median_weigh_the_same() -> None:
    median = Ensemble((Level("mean", 3), Level("median", 3)), None, ("mean", "median"))
    assert [(e.feature, e.value) for e in of(median)] == [("mean", 0.5), ("median", 0.5)]


def test_no_more_than_the_largest_are_kept() -> None:
    effects = tuple(Effect("gain", f"f{n}", float(n)) for n in range(200))
    found = of(Told(effects))
    assert len(found) == FEATURES_MAX
    assert found[0].feature == "f199"


def test_a_candidate_that_tells_nothing_has_no_effects() -> None:
    assert of(Level("mean", 3)) == ()


def test_what_is_not_finite_is_left_out() -> None:
    effects = [Effect("parameter", "beta", float("nan")), Effect("gain", "a", float("inf"))]
    assert share_out("ets", effects) == []


def test_a_file_has_what_there_is_of_each_effect_in_few_digits() -> None:
    effects = as_rows(of(Told((Effect("coefficient", "a", 1 / 3, -2 / 3),)), "ridge"))
    lists = pa.chunked_array([[None, effects], [[]]], EFFECTS_TYPE)
    skipped, first, second = write_explanations([None, "ridge", "mean"], lists)
    assert json.loads(skipped) == {"candidate": None, "effects": []}
    assert json.loads(second) == {"candidate": "mean", "effects": []}
    assert json.loads(first) == {
        "candidate": "ridge",
        "effects": [
            {
                "member": "ridge",
                "effect": "coefficient",
                "feature": "a",
                "value": 0.333333,
                "standardised": -0.666667,
                "share": 1.0,
                "share_rank": 1,
            }
        ],
    }


def test_the_table_has_a_row_for_each_effect_with_the_model_that_has_it() -> None:
    effects = [
        as_rows(of(Told(tuple(Effect("gain", name, 1.0) for name in names)), "trees"))
        for names in ("", "ab", "c")
    ]
    parts = [[None, effects[0]], effects[1:]]
    lists = pa.chunked_array([pa.array(part, EFFECTS_TYPE) for part in parts])
    schema = explanation_schema(USE_CASE)
    own = [name for name in schema.names if name not in EFFECTS_TYPE.value_type.names]
    given: dict[str, list[Any]] = {name: [f"{name} {n}" for n in range(4)] for name in own}
    given |= {"model_version": [0, 1, 2, 3], "trained_at": [None] * 4}
    ledger = pa.table({**given, EFFECTS: lists, "score": [0.5] * 4})

    found = explanation_table(ledger, lists, USE_CASE)

    assert found.schema == schema
    columns = found.select(["group_key", "model_version", "feature", "share"]).to_pydict()
    assert columns == {
        "group_key": ["group_key 2", "group_key 2", "group_key 3"],
        "model_version": [2, 2, 3],
        "feature": ["a", "b", "c"],
        "share": [0.5, 0.5, 1.0],
    }
    none = pa.chunked_array([], EFFECTS_TYPE)
    assert explanation_table(ledger.slice(0, 0), none, USE_CASE) == schema.empty_table()
