"""Small estimators that stand in for trained models; importable, so that pickles of them load."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd

from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.packs import is_packed, split_location
from many_models.core.registration import ModelRecord, ModelVersion


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


def tamper_with(version: ModelVersion, value: float) -> None:
    """Put another ``ConstantModel`` of as many bytes where the payload of ``version`` stands."""
    overwrite_payload(version, pickle.dumps(ConstantModel(value)))


def overwrite_payload(version: ModelVersion, other: bytes) -> None:
    """Put ``other`` where the payload of ``version`` stands; a pickle may have a tail of zeros."""
    payload = load_payload(version.location, version.tags["payload_sha256"], version.name)
    assert len(other) <= len(payload)
    path = file_of(version)
    path.write_bytes(path.read_bytes().replace(payload, other.ljust(len(payload), b"\0")))


def file_of(version: ModelVersion) -> Path:
    """The file in which the payload of ``version`` stands: its own, or a pack."""
    if not is_packed(version.location):
        return Path(version.location, "model.pkl")
    return Path(url2pathname(urlsplit(split_location(version.location)[0]).path))
