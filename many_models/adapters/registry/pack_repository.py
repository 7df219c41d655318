"""MLflow's view of packs: each model in one is an ordinary directory that can be listed and loaded.

MLflow finds this class by the entry points ``mlflow.artifact_repository`` in ``pyproject.toml``; it
must be installed wherever MLflow reads our models without us: a notebook, a server, its UI.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from functools import cached_property
from pathlib import Path

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository, verify_artifact_path
from mlflow.store.artifact.host_policy import (
    enforce_server_artifact_uri_host_policy,
    is_tracking_server_process,
)

from many_models.adapters.registry.model_artifact import DESCRIPTION_FILE, PAYLOAD_FILE
from many_models.adapters.registry.packs import PREFIX, read_files

_MODEL = re.compile(r"(?P<location>.+\.pack/\d+)(/(?P<file>.+))?")
_FILE = re.compile(r"\w[\w.-]*")


class PackRepository(ArtifactRepository):
    """The place that ``artifact_uri`` names after ``pack+``, and every model of a pack in it.

    A model in a pack is read only, since a pack never changes. Whatever leads to no pack goes to
    ``plain``, by default MLflow's own repository of the place, so that a server can serve both from
    one destination. MLflow cuts addresses where it likes: the URI may be a model's location or a
    folder above it, and the rest comes with each call.
    """

    def __init__(
        self,
        artifact_uri: str,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        *,
        plain: ArtifactRepository | None = None,
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._given = plain
        if plain is None:
            enforce_server_artifact_uri_host_policy(artifact_uri.removeprefix(PREFIX))

    @cached_property
    def _plain(self) -> ArtifactRepository:
        if self._given is not None:
            return self._given
        # MLflow imports this module from the middle of that one.
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        if is_tracking_server_process():
            _require_own_destination(self.artifact_uri)
        uri = self.artifact_uri.removeprefix(PREFIX)
        return get_artifact_repository(uri, self.tracking_uri, self.registry_uri)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        found = self._locate(path)
        if found is None:
            listed: list[FileInfo] = self._plain.list_artifacts(path)
            return listed
        location, file = found
        if file:
            return []  # a model has no folders
        folder = f"{path}/" if path else ""
        return [
            FileInfo(folder + name, False, len(content))
            for name, content in sorted(_files(location).items())
        ]

    def download_artifacts(self, artifact_path: str | None, dst_path: str | None = None) -> str:
        found = self._locate(artifact_path)
        if found is None:
            return str(self._plain.download_artifacts(artifact_path, dst_path))  # type: ignore[no-untyped-call]
        target = Path(dst_path or tempfile.mkdtemp(prefix="many-models-"), artifact_path or "")
        location, file = found
        if file:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_file(location, file))
        else:
            target.mkdir(parents=True, exist_ok=True)
            for name, content in _files(location).items():
                (target / name).write_bytes(content)
        return str(target)

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        found = self._locate(remote_file_path)
        if found is None:
            self._plain._download_file(remote_file_path, local_path)  # type: ignore[no-untyped-call]
        else:
            Path(local_path).write_bytes(_file(*found))

    def get_local_path(self, artifact_path: str) -> str | None:
        """Where a server may send the file from; None for what it must be unpacked from."""
        if self._locate(artifact_path) is not None:
            return None
        path: str | None = self._plain.get_local_path(artifact_path)
        return path

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        self._require_plain(artifact_path, "add a file to")
        self._plain.log_artifact(local_file, artifact_path)  # type: ignore[no-untyped-call]

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        self._require_plain(artifact_path, "add files to")
        self._plain.log_artifacts(local_dir, artifact_path)  # type: ignore[no-untyped-call]

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        self._require_plain(artifact_path, "delete a file of")
        self._plain.delete_artifacts(artifact_path)  # type: ignore[no-untyped-call]

    def _require_plain(self, path: str | None, what: str) -> None:
        if self._locate(path) is not None:
            place = f"{self.artifact_uri}/{path}" if path else self.artifact_uri
            raise MlflowException(f"cannot {what} {place}: it is part of a finished pack")

    def _locate(self, path: str | None) -> tuple[str, str] | None:
        """Location of the model that ``path`` leads to, and the file in it (may be empty)."""
        verify_artifact_path(path)  # type: ignore[no-untyped-call]
        root = self.artifact_uri.rstrip("/")
        found = _MODEL.fullmatch(f"{root}/{path}" if path else root)
        return None if found is None else (found["location"], found["file"] or "")


def _require_own_destination(uri: str) -> None:
    """Let a server pass nothing on but what lies in its own ``--artifacts-destination``.

    MLflow lets clients name no local folder as the source of a model, for the server would read
    whatever they name; it does not know that ``pack+file:`` is one. And where users have different
    rights, even the destination may only be used with MLflow's checks of each path.
    """
    auth = sys.modules.get("mlflow.server.auth")
    if auth is not None and auth.is_auth_enabled():
        raise MlflowException(
            f"{uri} leads to no model in a pack; a server with authentication serves other "
            "artifacts beside packs when it is started with --app-name many-models-auth",
            INVALID_PARAMETER_VALUE,
        )
    if uri != os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION"):
        raise MlflowException(f"{uri} leads to no model in a pack", INVALID_PARAMETER_VALUE)


def _files(location: str) -> dict[str, bytes]:
    try:
        files = read_files(location, PAYLOAD_FILE, DESCRIPTION_FILE)
    except FileNotFoundError as error:
        raise MlflowException(f"{location} is not there", RESOURCE_DOES_NOT_EXIST) from error
    for name in files:  # a pack may be somebody's upload: it says where nothing is written
        if not _FILE.fullmatch(name):
            raise MlflowException(f"{location} holds a file with the name {name!r}")
    return files


def _file(location: str, name: str) -> bytes:
    content = _files(location).get(name)
    if content is None:
        raise MlflowException(f"{location} holds no file {name!r}", RESOURCE_DOES_NOT_EXIST)
    return content
