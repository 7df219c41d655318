from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from many_models.adapters.registry.packs import PackFormatError, PackWriter

pytestmark = pytest.mark.mlflow

FILES = {"MLmodel": b"flavors: {}\n", "model.pkl": b"payload", "requirements.txt": b"x==1\n"}


@pytest.fixture
def location(tmp_path: Path) -> str:
    with PackWriter((tmp_path / "packs").as_uri()) as writer:
        shared = {"requirements.txt": FILES["requirements.txt"]}
        found = writer.append(FILES["model.pkl"], shared, lambda _: FILES["MLmodel"])
        writer.seal()
    return found


def test_a_new_mlflow_process_finds_it_by_the_entry_point(
    location: str, installed: Path, tmp_path: Path
) -> None:
    program = "import mlflow, sys; print(mlflow.artifacts.download_artifacts(sys.argv[1]))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, location],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.split()[-1])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES


@pytest.mark.usefixtures("stock_mlflow")
def test_files_are_listed_and_downloaded_one_by_one(location: str, tmp_path: Path) -> None:
    import mlflow

    listed = mlflow.artifacts.list_artifacts(artifact_uri=location)
    one = mlflow.artifacts.download_artifacts(
        artifact_uri=f"{location}/MLmodel", dst_path=str(tmp_path)
    )

    sizes = {Path(file.path).name: file.file_size for file in listed}
    assert sizes == {name: len(content) for name, content in FILES.items()}
    assert Path(one).read_bytes() == FILES["MLmodel"]


def test_a_damaged_pack_is_not_handed_out(location: str, tmp_path: Path) -> None:
    from many_models.adapters.registry.pack_repository import PackRepository

    (path,) = (tmp_path / "packs").iterdir()
    path.write_bytes(path.read_bytes().replace(b"payload", b"paYload"))

    with pytest.raises(PackFormatError, match="damaged"):
        PackRepository(location).download_artifacts("", str(tmp_path))


def test_a_pack_is_read_only(location: str) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    with pytest.raises(MlflowException, match="finished pack"):
        PackRepository(location).log_artifact("file")


def test_a_server_goes_to_no_host_that_a_client_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "/artifacts")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "/artifacts")
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", "sqlite:///m.db")
    with pytest.raises(MlflowException, match="elsewhere"):
        PackRepository("pack+hdfs://elsewhere:8020/models.pack/8")
