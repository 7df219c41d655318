"""MLflow's view of a pack: each model in it is an ordinary directory that can be listed and loaded.

MLflow finds this class by the entry points ``mlflow.artifact_repository`` in ``pyproject.toml``; it
must be installed wherever MLflow reads our models without us: a notebook, a server, its UI.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import NoReturn

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path
from mlflow.store.artifact.host_policy import enforce_server_artifact_uri_host_policy

from many_models.adapters.registry.model_artifact import DESCRIPTION_FILE, PAYLOAD_FILE
from many_models.adapters.registry.packs import PREFIX, read_files

_MODEL = re.compile(r"(?P<location>.+\.pack/\d+)(/(?P<file>.+))?")


class PackRepository(ArtifactRepository):
    """The files of models in packs; read only, since a pack never changes.

    MLflow cuts addresses where it likes: the URI may be a model's location or a folder above it,
    and the rest comes with each call.
    """

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        enforce_server_artifact_uri_host_policy(artifact_uri.removeprefix(PREFIX))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        location, file = self._locate(path)
        if file:
            return []  # a model has no folders
        folder = f"{path}/" if path else ""
        return [
            FileInfo(folder + name, False, len(content))
            for name, content in sorted(_files(location).items())
        ]

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        target = Path(dst_path or tempfile.mkdtemp(prefix="many-models-"), artifact_path or "")
        location, file = self._locate(artifact_path)
        if file:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._download_file(artifact_path or "", str(target))
        else:
            target.mkdir(parents=True, exist_ok=True)
            for name, content in _files(location).items():
                (target / name).write_bytes(content)
        return str(target)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        location, file = self._locate(remote_file_path)
        content = _files(location).get(file)
        if content is None:
            raise MlflowException(f"{location} holds no file {file!r}")
        Path(local_path).write_bytes(content)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> NoReturn:
        self._refuse("add a file to")

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> NoReturn:
        self._refuse("add files to")

    def delete_artifacts(self, artifact_path: str | None = None) -> NoReturn:
        self._refuse("delete a file of")

    def _refuse(self, what: str) -> NoReturn:
        raise MlflowException(f"cannot {what} {self.artifact_uri}: it is part of a finished pack")

    def _locate(self, path: str | None) -> tuple[str, str]:
        """Location of the model that ``path`` leads to, and the file in it (may be empty)."""
        verify_artifact_path(path)  # type: ignore[no-untyped-call]
        found = _MODEL.fullmatch(f"{self.artifact_uri}/{path}" if path else self.artifact_uri)
        if found is None:
            raise MlflowException(f"{self.artifact_uri} and {path!r} lead to no model in a pack")
        return found["location"], found["file"] or ""


def _files(location: str) -> dict[str, bytes]:
    return read_files(location, PAYLOAD_FILE, DESCRIPTION_FILE)
