"""Where a server keeps packs, and under which address its clients read them.

Only at its own places: a server that wrote wherever an experiment says would let anybody who may
make an experiment choose a folder of the server's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from many_models.adapters.registry.packs import PREFIX
from many_models.adapters.registry.writer import find_pack_folder

_PROXIED = "mlflow-artifacts"


@dataclass(frozen=True, slots=True)
class PackStorage:
    """Folder (a URI) that packs are written to, and its address for those who read them."""

    folder: str
    address: str


def find_storage(artifact_location: str) -> PackStorage | str:
    """Where packs of an experiment with that ``artifact_location`` go, or why they cannot."""
    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR, SERVE_ARTIFACTS_ENV_VAR

    parts = urlsplit(artifact_location)
    inside = [part for part in parts.path.split("/") if part]
    if ".." in inside or "%" in artifact_location:
        return f"packs cannot stand at {artifact_location}"
    if parts.scheme == _PROXIED:
        destination = _destination()
        if parts.netloc or destination is None or not os.environ.get(SERVE_ARTIFACTS_ENV_VAR):
            return "the server's --artifacts-destination is none where packs can stand"
        folder = "/".join([destination, *(quote(part) for part in inside), "packs"])
        return PackStorage(folder, f"{_PROXIED}:/{'/'.join([*inside, 'packs'])}")
    root = find_pack_folder(os.environ.get(ARTIFACT_ROOT_ENV_VAR, "").removeprefix(PREFIX))
    found = find_pack_folder(artifact_location)
    if root is None or found is None or not found.startswith(root.removesuffix("packs")):
        return (
            f"the experiment keeps its artifacts at {artifact_location}, outside of the server's "
            "own place for artifacts"
        )
    return PackStorage(found, f"{PREFIX}{found}")


def serve_packs() -> None:
    """Let this server process find packs in its ``--artifacts-destination``.

    To be called before the first request. The destination itself stays as it is: by its host MLflow
    knows which ones it may connect to.
    """
    destination = _destination()
    if destination is None:
        return
    from mlflow.server import handlers
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from many_models.adapters.registry.pack_repository import PackRepository

    plain = get_artifact_repository(destination)
    overlay = PackRepository(f"{PREFIX}{destination}", plain=plain)
    handlers._artifact_repo = overlay  # type: ignore[assignment]  # None until it is first used


def _destination() -> str | None:
    """URI of the server's ``--artifacts-destination``, where packs can stand there."""
    from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR

    destination = os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR, "").removeprefix(PREFIX)
    folder = find_pack_folder(destination) if destination else None
    return None if folder is None else folder.removesuffix("/packs")
