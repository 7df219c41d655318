"""Ridge regression on standardised features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from many_models.core.candidates.port import Outlook, Sample
from many_models.core.dataset import Flags, Floats

PENALTIES = np.logspace(-3, 3, 13)
CONSTANT_BELOW = 1e-9  # standard deviation in units of the mean


@dataclass(frozen=True)
class Ridge:
    """Linear model on standardised features; missing values count as the feature's mean."""

    linear: Flags
    means: Floats
    coefficients: Floats
    intercept: float

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        centred = np.nan_to_num(outlook.x[:, self.linear] - self.means)
        predictions: Floats = centred @ self.coefficients + self.intercept
        return predictions


def fit_ridge(sample: Sample) -> Ridge:
    """Ridge whose penalty minimises the generalised cross-validation error (Golub et al. 1979)."""
    x, y = sample.observed()
    features = x[:, sample.linear]
    there = ~np.isnan(features)
    means = np.where(there, features, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    centred = np.where(there, features - means, 0.0)
    scale = np.sqrt((centred**2).mean(axis=0))
    scale[scale <= CONSTANT_BELOW * np.abs(means)] = np.inf  # a constant feature gets no weight
    intercept = y.mean()
    u, s, vt = np.linalg.svd(centred / scale, full_matrices=False)
    projection = u.T @ (y - intercept)
    shrink = s**2 / (s**2 + len(y) * PENALTIES[:, None])
    residual = ((y - intercept) ** 2).sum() - ((2 - shrink) * shrink * projection**2).sum(axis=1)
    freedom = len(y) - 1 - shrink.sum(axis=1)
    best = np.argmin(np.maximum(residual, 0) / np.maximum(freedom, 1e-9) ** 2)
    inverse = np.divide(shrink[best], s, out=np.zeros_like(s), where=s > 0)
    coefficients = vt.T @ (inverse * projection) / scale
    return Ridge(sample.linear, means, coefficients, float(intercept))
