from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from many_models.adapters.registry.pack_place import (
    SCHEMES,
    PackTarget,
    delete_file,
    list_files,
)


def test_mlflow_is_told_of_every_place_where_packs_may_stand() -> None:
    project = tomllib.loads(Path(__file__).parents[3].joinpath("pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["mlflow.artifact_repository"]
    assert set(entry_points) == {f"pack+{scheme}" for scheme in SCHEMES}


@pytest.fixture(params=["disk", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder for packs on the disk, or in an object store."""
    return tmp_path.as_uri() if request.param == "disk" else f"memory://bucket/{uuid4().hex}"


def test_files_are_listed_with_size_and_age_and_deleted(folder: str) -> None:
    for name in ("a.pack", "run-1/b.pack"):
        target = PackTarget(f"{folder}/packs/{name}")
        target.stream.write(b"12345")
        target.end()
        target.publish()

    files = sorted(list_files(f"{folder}/packs/"), key=lambda file: file.uri)

    assert [file.uri.removeprefix(f"{folder}/packs/") for file in files] == [
        "a.pack",
        "run-1/b.pack",
    ]
    assert {file.size for file in files} == {5}
    now = datetime.now(UTC)
    assert all(now - timedelta(minutes=1) < file.modified <= now for file in files)
    delete_file(files[0].uri)
    delete_file(files[0].uri)  # somebody was faster
    assert [file.uri for file in list_files(f"{folder}/packs")] == [files[1].uri]


def test_a_folder_that_is_not_there_holds_no_files(folder: str) -> None:
    assert list_files(f"{folder}/nowhere") == []
