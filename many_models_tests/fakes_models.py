"""Small estimators that stand in for trained models; importable, so that pickles of them load."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pandas as pd

from many_models.core.registration import ModelRecord


@dataclass
class ConstantModel:
    """Predicts ``value`` for every row, give or take ``width``."""

    value: float
    width: float = 1.0

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        columns = {
            "prediction": self.value,
            "lower": self.value - self.width,
            "upper": self.value + self.width,
        }
        return pd.DataFrame(columns, index=rows.index)


def constant_record(name: str, value: float = 1.0, **tags: str) -> ModelRecord:
    """Record of a ``ConstantModel`` of use case ``grocery`` and partition ``17``."""
    return ModelRecord(
        name=name,
        payload=pickle.dumps(ConstantModel(value)),
        metrics={"mase": value / 10},
        params={"candidate": "constant"},
        tags={"use_case": "grocery", "partition": "17", "group_key": f"item={name}", **tags},
        key_tags=("group_key",),
    )
