"""The files of one registered model: an ordinary MLflow model directory with a pickle payload.

Knows how a payload is read back safely, from a directory, a pack or a server; not where models are
listed, nor how the files that describe them are made (``artifact_template``). MLflow is imported
only where its own code must run, so that Spark executors read payloads without it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from many_models.adapters.registry.packs import is_packed, read_files, read_payload
from many_models.core.errors import RegistryError

PAYLOAD_FILE = "model.pkl"
DESCRIPTION_FILE = "MLmodel"
ENVIRONMENT_FILES = ("conda.yaml", "python_env.yaml", "requirements.txt")
EXPLANATION_FILE = "explanation.json"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


class PayloadError(RegistryError):
    """The bytes of one model are missing, or are not the ones that were registered."""


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

    Packs and local locations are read in place, without importing MLflow. ``registry_uri`` is
    needed only for artifacts that an MLflow server hands out (``mlflow-artifacts:``).

    Raises:
        PayloadError: when it is missing, or its SHA-256 is not ``expected_sha256``.
    """
    with _at_hand(location, PAYLOAD_FILE, name, registry_uri) as path:
        payload = read_payload(location) if path is None else path.read_bytes()
        return _checked(payload, expected_sha256, name, location)


def load_files(
    location: str, expected_sha256: str, name: str, *, registry_uri: str | None = None
) -> dict[str, bytes]:
    """The payload, checked as by ``load_payload``, and the files that describe it, by name.

    Raises:
        PayloadError: when one is missing, or the payload's SHA-256 is not ``expected_sha256``.
    """
    with _at_hand(location, "", name, registry_uri) as folder:
        if folder is None:
            files = read_files(location, PAYLOAD_FILE, DESCRIPTION_FILE, is_checked=False)
        else:
            payload = (folder / PAYLOAD_FILE).read_bytes()
            files = {PAYLOAD_FILE: payload, **description_files(folder)}
        _checked(files[PAYLOAD_FILE], expected_sha256, name, location)
        return files


def description_files(folder: Path) -> dict[str, bytes]:
    """What stands beside the payload in a model's directory, by name."""
    optional = (*ENVIRONMENT_FILES, EXPLANATION_FILE)
    there = [name for name in optional if (folder / name).exists()]
    return {name: (folder / name).read_bytes() for name in (DESCRIPTION_FILE, *there)}


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
def _at_hand(
    location: str, file: str, name: str, registry_uri: str | None
) -> Iterator[Path | None]:
    """A local path of ``file`` (the whole directory when empty), downloaded if need be.

    None for a model in a pack, which is read in place. What fails meanwhile is told by name.
    """
    failures: tuple[type[Exception], ...] = (OSError,)
    try:
        if is_packed(location):
            yield None
            return
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
