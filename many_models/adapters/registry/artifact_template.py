"""The files that describe a model to MLflow: made once with MLflow's own code, then filled in.

For thousands of models that were trained alike only ids, sizes, times and places differ.
"""

from __future__ import annotations

import logging
import pickle
import re
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from many_models import __version__
from many_models.adapters.registry.model_artifact import (
    DESCRIPTION_FILE,
    ENVIRONMENT_FILES,
    EXPLANATION_FILE,
    PAYLOAD_FILE,
    description_files,
)
from many_models.adapters.registry.packs import NO_FILES
from many_models.core.registration import ModelRecord

OWN_FILES = (EXPLANATION_FILE,)
_PINNED = ("scikit-learn", "lightgbm", "statsforecast", "pandas")

# libyaml's loader, where PyYAML was built with it, is ten times faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Identity:
    """What differs between the files of two models made alike."""

    location: str
    model_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class ArtifactTemplate:
    """The descriptive files of a model directory, to be written again for other models.

    ``description`` holds, for each key of the MLmodel file in order, its YAML text, or None where
    the text is each model's own.
    """

    description: tuple[tuple[str, str | None], ...]
    environment: Mapping[str, bytes]

    @classmethod
    def from_model(cls, model: object, example: pd.DataFrame | None) -> ArtifactTemplate:
        """Template from one real ``mlflow.sklearn.save_model``.

        ``example`` holds a few rows that ``model`` accepts: they give the signature.
        """
        import mlflow.sklearn
        from mlflow.models import Model, infer_signature

        # MLflow warns of pickles; ours are checked against their SHA-256 before they are loaded.
        logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
        signature = None
        if example is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a hint about integer columns
                signature = infer_signature(example.copy(), model.predict(example.copy()))  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            mlflow.sklearn.save_model(
                model,
                str(path),
                mlflow_model=Model(artifact_path="-", run_id="-", model_id="-", model_uuid="-"),
                signature=signature,
                pip_requirements=_requirements(),
                serialization_format="pickle",
            )
            return cls.from_files(description_files(path))

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ArtifactTemplate:
        """Template from the files of a model that exists already, in whatever registry."""
        description = _parse(_OWN.sub("", files[DESCRIPTION_FILE].decode()))
        return cls(description, {name: files[name] for name in ENVIRONMENT_FILES if name in files})

    def render(
        self, identity: Identity, payload: bytes, own: Mapping[str, bytes] = NO_FILES
    ) -> dict[str, bytes]:
        """Every file of one model's directory, by name; ``own`` are this model's alone."""
        description = self.describe(identity, len(payload))
        return {PAYLOAD_FILE: payload, DESCRIPTION_FILE: description, **self.environment, **own}

    def describe(self, identity: Identity, size: int) -> bytes:
        """The MLmodel file of one model, whose payload has ``size`` bytes."""
        own = _own_lines(identity, size)
        return "".join(
            own[key] if line is None else line for key, line in self.description
        ).encode()


def own_files(record: ModelRecord) -> dict[str, bytes]:
    """Those of a record's files that no other model has, by name."""
    return {name: record.files[name] for name in OWN_FILES if name in record.files}


class Templates:
    """Template of each record: that of its own files, or one of all that are fresh from training.

    ``example`` holds a few rows that the first such model accepts; they give the signature of all.
    """

    def __init__(self, example: pd.DataFrame | None) -> None:
        self._example = example
        self._fresh: ArtifactTemplate | None = None

    def of(self, record: ModelRecord) -> ArtifactTemplate:
        if DESCRIPTION_FILE in record.files:
            return ArtifactTemplate.from_files(record.files)
        if self._fresh is None:
            model = pickle.loads(record.payload)
            self._fresh = ArtifactTemplate.from_model(model, self._example)
        return self._fresh


def _own_lines(identity: Identity, size: int) -> dict[str, str]:
    """YAML of what is each model's own, by key."""
    model_id, run_id = _scalar(identity.model_id), _scalar(identity.run_id)
    return {
        "artifact_path": f"artifact_path: {_scalar(identity.location)}",
        "model_id": f"model_id: {model_id}",
        "model_size_bytes": f"model_size_bytes: {size}\n",
        "model_uuid": f"model_uuid: {model_id}",
        "run_id": f"run_id: {run_id}",
        "utc_time_created": f"utc_time_created: '{datetime.now(UTC).replace(tzinfo=None)}'\n",
    }


_OWN = re.compile(
    "^(artifact_path|model_id|model_size_bytes|model_uuid|run_id|utc_time_created):.*\n( .*\n)*",
    re.MULTILINE,
)
# What YAML writes as it is: ids that are no number, paths and URIs without odd characters.
_PLAIN = re.compile(r"(m-)?[0-9a-f]{2}[0-9]*[a-f][0-9a-f]*|([a-z0-9+]+:/)?/[A-Za-z0-9/_.+-]*")


def _scalar(value: str) -> str:
    """``value`` as YAML writes it after a key, with the end of the line."""
    return f"{value}\n" if _PLAIN.fullmatch(value) else _dump({"": value}).removeprefix("'': ")


@lru_cache(64)  # models promoted together were trained alike
def _parse(shared: str) -> tuple[tuple[str, str | None], ...]:
    content = yaml.load(shared, Loader=_Loader) or {}
    own = _own_lines(Identity("", "", ""), 0)
    return tuple(
        (key, None if key in own else _dump({key: content[key]}))
        for key in sorted(own.keys() | content)
    )


def _dump(content: Mapping[str, object]) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, default_flow_style=False)
    return text


def _requirements() -> list[str]:
    pinned = [f"{name}=={installed_version(name)}" for name in _PINNED]
    return [f"many-models=={__version__}", *pinned]
