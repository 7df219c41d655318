"""What a fitted model says of itself: coefficients, gains, parameters, whatever its kind has.

A candidate that has something to tell has the method ``effects``; none need have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from many_models.core.forecast.candidates.port import Sample

EffectKind = Literal["weight", "form", "parameter", "coefficient", "gain", "importance"]
"""``weight`` of an ensemble's member; ``form`` that was chosen, of value 1; ``coefficient`` in the
target's unit per unit of the feature; ``gain`` of a tree's splits; ``importance`` as the estimator
defines it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One figure of a fitted model, of the feature (or form, or parameter) of this name.

    ``standardised`` is a coefficient in the target's unit per standard deviation of the feature;
    ``class_name`` the class that a classifier's coefficient speaks for.
    """

    kind: EffectKind
    feature: str
    value: float
    standardised: float | None = None
    class_name: str | None = None


@runtime_checkable
class Explained(Protocol):
    """A fitted candidate that tells its effects."""

    def effects(self, sample: Sample, names: Sequence[str]) -> Sequence[Effect]:
        """Effects of the model fitted on ``sample``, whose features (p) have these ``names``."""
        ...
