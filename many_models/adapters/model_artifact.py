"""The files of one registered model: an ordinary MLflow model directory with a pickle payload.

Knows what stands in the directory and how a payload is read back safely; not where directories are
listed. MLflow is imported only where its own code must run, so that Spark executors read local
payloads without it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pandas as pd
import yaml

from many_models import __version__
from many_models.core.errors import RegistryError

PAYLOAD_FILE = "model.pkl"
DESCRIPTION_FILE = "MLmodel"
ENVIRONMENT_FILES = ("conda.yaml", "python_env.yaml", "requirements.txt")
_PINNED = ("scikit-learn", "lightgbm", "pandas")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")

# libyaml's loader, where PyYAML was built with it, is ten times faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class PayloadError(RegistryError):
    """The bytes of one model are missing, or are not the ones that were registered."""


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
            return cls.from_files(_description_files(path))

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ArtifactTemplate:
        """Template from the files of a model that exists already, in whatever registry."""
        content = yaml.load(files[DESCRIPTION_FILE], Loader=_Loader)
        own = set(_own_lines(Identity("", "", ""), 0))
        description = tuple(
            (key, None if key in own else _dump({key: content[key]}))
            for key in sorted(own.union(content))
        )
        return cls(description, {name: files[name] for name in ENVIRONMENT_FILES if name in files})

    def render(self, identity: Identity, payload: bytes) -> dict[str, bytes]:
        """Every file of one model's directory, by name."""
        own = _own_lines(identity, len(payload))
        text = "".join(
            _dump({key: own[key]}) if line is None else line for key, line in self.description
        )
        return {PAYLOAD_FILE: payload, DESCRIPTION_FILE: text.encode(), **self.environment}


def _own_lines(identity: Identity, size: int) -> dict[str, object]:
    return {
        "artifact_path": identity.location,
        "model_id": identity.model_id,
        "model_uuid": identity.model_id,
        "run_id": identity.run_id,
        "model_size_bytes": size,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
    }


def _dump(content: Mapping[str, object]) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, default_flow_style=False)
    return text


def _requirements() -> list[str]:
    pinned = [f"{name}=={installed_version(name)}" for name in _PINNED]
    return [f"many-models=={__version__}", *pinned]


def sha256(payload: bytes) -> str:
    """Hex digest under which a payload is registered."""
    return hashlib.sha256(payload).hexdigest()


def local_path(location: str) -> Path | None:
    """``location`` as a path on this machine, or None when it is somewhere else."""
    if location.startswith("file:"):
        return Path(url2pathname(urlparse(location).path))
    return None if _URI.match(location) else Path(location)


def write_local_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a model that has no directory yet."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def load_payload(
    location: str, expected_sha256: str, name: str, *, registry_uri: str | None = None
) -> bytes:
    """Payload of the model ``name`` whose files are at ``location``: checked, and still pickled.

    Local locations are read in place, without importing MLflow. ``registry_uri`` is needed only for
    artifacts that an MLflow server hands out (``mlflow-artifacts:``).

    Raises:
        PayloadError: when it is missing, or its SHA-256 is not ``expected_sha256``.
    """
    with _at_hand(location, PAYLOAD_FILE, name, registry_uri) as path:
        return _checked(path.read_bytes(), expected_sha256, name, location)


def load_files(
    location: str, expected_sha256: str, name: str, *, registry_uri: str | None = None
) -> dict[str, bytes]:
    """The payload, checked as by ``load_payload``, and the files that describe it, by name.

    Raises:
        PayloadError: when one is missing, or the payload's SHA-256 is not ``expected_sha256``.
    """
    with _at_hand(location, "", name, registry_uri) as folder:
        payload = _checked((folder / PAYLOAD_FILE).read_bytes(), expected_sha256, name, location)
        return {PAYLOAD_FILE: payload, **_description_files(folder)}


def _description_files(folder: Path) -> dict[str, bytes]:
    optional = [name for name in ENVIRONMENT_FILES if (folder / name).exists()]
    return {name: (folder / name).read_bytes() for name in (DESCRIPTION_FILE, *optional)}


def _checked(payload: bytes, expected_sha256: str, name: str, location: str) -> bytes:
    found = sha256(payload)
    if found != expected_sha256:
        raise PayloadError(
            f"model {name}: {PAYLOAD_FILE} in {location} has SHA-256 {found}, but "
            f"{expected_sha256 or 'none'} was registered, so it was not loaded: restore the file, "
            "or train and register the model again"
        )
    return payload


@contextmanager
def _at_hand(location: str, file: str, name: str, registry_uri: str | None) -> Iterator[Path]:
    """A local path of ``file`` (the whole directory when empty), downloaded if need be."""
    failures: tuple[type[Exception], ...] = (OSError,)
    try:
        if (folder := local_path(location)) is not None:
            yield folder / file
            return
        import mlflow.artifacts

        failures = (OSError, mlflow.MlflowException)
        with tempfile.TemporaryDirectory() as scratch:
            uri = f"{location}/{file}" if file else location
            yield Path(
                mlflow.artifacts.download_artifacts(
                    artifact_uri=uri, dst_path=scratch, tracking_uri=registry_uri
                )
            )
    except failures as error:
        raise PayloadError(
            f"model {name}: its files at {location} cannot be read ({error}); restore them, "
            "mend the access to them, or train and register the model again"
        ) from error
