"""Why a model predicts what it does: its effects, made comparable, as rows and as a small file.

Shapes of problems fill in the effects of their models; here they are measured against each other,
cut to the largest, and laid out for a table of one row per effect.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.forecast.candidates.effects import Effect, EffectKind, Explained
from many_models.core.forecast.candidates.ensemble import Ensemble
from many_models.core.forecast.candidates.port import FittedCandidate, Sample
from many_models.core.use_case import AnyUseCase

FEATURES_MAX = 50
"""Effects of features kept of one model; what it is made of is kept whole."""

EFFECTS = "effects"
"""Column of a training result that holds them."""

STRUCTURE: frozenset[EffectKind] = frozenset({"weight", "form", "parameter"})


@dataclass(frozen=True, slots=True)
class ModelEffect:
    """One effect in a model: ``member`` is the candidate that has it, alone or in an ensemble.

    ``share`` compares effects of all kinds: the size of the standardised coefficient (or the gain,
    or the importance) over the sum of its member's, times the member's weight. It is null for
    weights, forms and parameters; ``share_rank`` 1 is the model's largest.
    """

    member: str
    effect: EffectKind
    feature: str
    class_name: str | None
    value: float
    standardised: float | None
    share: float | None = None
    share_rank: int | None = None


EFFECTS_TYPE = pa.list_(
    pa.struct(
        [
            ("member", pa.string()),
            ("effect", pa.string()),
            ("feature", pa.string()),
            ("class_name", pa.string()),
            ("value", pa.float64()),
            ("standardised", pa.float64()),
            ("share", pa.float64()),
            ("share_rank", pa.int64()),
        ]
    )
)


def explain(
    candidate: str, fitted: FittedCandidate, sample: Sample, names: Sequence[str]
) -> tuple[ModelEffect, ...]:
    """Effects of a forecasting candidate fitted on ``sample``, whose features have these names.

    Nothing where it has nothing to tell, as a mean has not.
    """
    members: Iterable[tuple[str, FittedCandidate, float]] = [(candidate, fitted, 1.0)]
    weights: list[ModelEffect] = []
    if isinstance(fitted, Ensemble):
        shares = fitted.weights or (1 / len(fitted.members),) * len(fitted.members)
        members = list(zip(fitted.names, fitted.members, shares, strict=True))
        weights = [
            ModelEffect(name, "weight", name, None, weight, None) for name, _, weight in members
        ]
    effects = [
        effect
        for name, member, weight in members
        if isinstance(member, Explained)
        for effect in share_out(name, member.effects(sample, names), weight)
    ]
    return rank([*weights, *effects])


def share_out(member: str, effects: Sequence[Effect], weight: float = 1.0) -> list[ModelEffect]:
    """The effects of one member that do something, with their shares of its ``weight``."""
    there = [effect for effect in effects if math.isfinite(effect.value)]
    sizes = np.array([0.0 if e.kind in STRUCTURE else abs(_strength(e)) for e in there])
    largest = sizes.max(initial=0.0)  # divided by first, since a sum may be too large for a float
    shares = sizes / largest / (sizes / largest).sum() if largest else sizes
    return [
        ModelEffect(
            member=member,
            effect=effect.kind,
            feature=effect.feature,
            class_name=effect.class_name,
            value=effect.value,
            standardised=effect.standardised,
            share=None if effect.kind in STRUCTURE else weight * share,
        )
        for effect, share in zip(there, shares.tolist(), strict=True)
        if effect.kind in STRUCTURE or share > 0
    ]


def rank(effects: Sequence[ModelEffect]) -> tuple[ModelEffect, ...]:
    """What the model is made of, then its largest effects with their ranks."""
    structure = [effect for effect in effects if effect.share is None]
    by_share = sorted(
        (effect for effect in effects if effect.share is not None),
        key=lambda effect: (-(effect.share or 0.0), effect.member, effect.feature),
    )
    ranked = [replace(e, share_rank=n) for n, e in enumerate(by_share[:FEATURES_MAX], start=1)]
    return (*structure, *ranked)


def _strength(effect: Effect) -> float:
    return effect.value if effect.standardised is None else effect.standardised


def write_explanations(
    candidates: Iterable[str | None], effects: pa.ChunkedArray[Any]
) -> list[bytes]:
    """The explanation of each model as a JSON file, with what there is of each effect.

    All at once, since Arrow is slow to tell of one. Numbers have six digits.
    """
    lists = effects.combine_chunks()
    flat = pc.list_flatten(lists)
    names = [field.name for field in flat.type]
    rows = zip(*(column.to_pylist() for column in flat.flatten()), strict=True)
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_pylist()
    files = []
    for candidate, count in zip(candidates, counts, strict=True):
        told = [
            {
                name: _short(value)
                for name, value in zip(names, row, strict=True)
                if value is not None
            }
            for row in islice(rows, count)
        ]
        files.append(json.dumps({"candidate": candidate, EFFECTS: told}).encode())
    return files


def _short(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def explanation_schema(use_case: AnyUseCase) -> pa.Schema:
    """Columns of the table of explanations: one row for each effect of each model."""
    return pa.schema(
        [
            ("partition", pa.string()),
            ("group_key", pa.string()),
            *((name, pa.string()) for name in use_case.keys),
            ("run_id", pa.string()),
            ("trained_at", pa.timestamp("us")),
            ("model_name", pa.string()),
            ("model_version", pa.int64()),
            ("candidate", pa.string()),
            *EFFECTS_TYPE.value_type,
        ]
    )


def explanation_table(
    ledger: pa.Table, effects: pa.ChunkedArray[Any], use_case: AnyUseCase
) -> pa.Table:
    """Rows in ``explanation_schema`` of ledger rows with the effects of each; none has null."""
    lists = effects.combine_chunks()
    of_models = ledger.take(pc.list_parent_indices(lists))
    flat = pc.list_flatten(lists)
    found = dict(zip(flat.type.names, flat.flatten(), strict=True))
    schema = explanation_schema(use_case)
    arrays = [found[name] if name in found else of_models[name] for name in schema.names]
    return pa.table(arrays, schema=schema)


def as_rows(effects: Iterable[ModelEffect]) -> list[dict[str, Any]]:
    """Effects as Arrow takes them."""
    return [asdict(effect) for effect in effects]
