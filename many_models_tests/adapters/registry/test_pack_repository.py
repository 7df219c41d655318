from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.packs import PackFormatError, PackWriter, read_files
from many_models.core.registration import ModelVersion
from many_models_tests.adapters.conftest import RunningServer
from many_models_tests.fakes_models import ConstantModel, constant_record

pytestmark = pytest.mark.mlflow

FILES = {"MLmodel": b"flavors: {}\n", "model.pkl": b"payload", "requirements.txt": b"x==1\n"}


@pytest.fixture
def location(tmp_path: Path) -> str:
    with PackWriter((tmp_path / "packs").as_uri()) as writer:
        shared = {"requirements.txt": FILES["requirements.txt"]}
        found = writer.append(FILES["model.pkl"], shared, lambda _: FILES["MLmodel"])
        writer.seal()
    return found


ROWS = pd.DataFrame({"day": pd.to_datetime(["2026-01-01"]), "price": [1.5]})


@pytest.mark.parametrize("over", ["database", "server"])
@pytest.mark.usefixtures("entry_points")
def test_stock_clients_load_models_of_packs(
    over: str, stock_server: RunningServer, tmp_path: Path
) -> None:
    import mlflow

    version = register_in_packs(stock_server, tmp_path)
    mlflow.set_tracking_uri(stock_server.url if over == "server" else stock_server.database_uri)
    try:
        source = mlflow.MlflowClient().get_model_version("grocery.bread", "1").source
        uris = ["models:/grocery.bread@champion", "models:/grocery.bread/1", source or ""]
        for uri in [*uris, f"runs:/{version.run_id}/model", version.location]:
            found = mlflow.pyfunc.load_model(uri)
            pd.testing.assert_frame_equal(found.predict(ROWS), ConstantModel(4.0).predict(ROWS))
            folder = mlflow.artifacts.download_artifacts(uri, dst_path=tempfile.mkdtemp())
            assert {p.name for p in Path(folder).iterdir()} >= {"MLmodel", "model.pkl"}
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # None means unset


def test_the_pages_of_mlflow_list_and_send_the_files_of_packs(
    stock_server: RunningServer, tmp_path: Path
) -> None:
    version = register_in_packs(stock_server, tmp_path)
    expected = read_files(version.location, "model.pkl", "MLmodel")
    source = open_client(stock_server.url).get_model_version("grocery.bread", "1").source or ""
    model = f"/ajax-api/2.0/mlflow/logged-models/{source.removeprefix('models:/')}/artifacts"

    listed = json.loads(stock_server.get(f"{model}/directories"))["files"]
    assert {f["path"]: int(f["file_size"]) for f in listed} == {
        name: len(content) for name, content in expected.items()
    }
    for name, content in expected.items():
        assert stock_server.get(f"{model}/files?artifact_file_path={name}") == content
        of_version = f"/model-versions/get-artifact?name=grocery.bread&version=1&path={name}"
        assert stock_server.get(of_version) == content


def register_in_packs(server: RunningServer, folder: Path) -> ModelVersion:
    """Register a model in bulk, in the database behind a server that runs."""
    server.clear()
    registry = MlflowRegistry(server.database_uri, str(folder / "artifacts"), "training")
    record = constant_record("grocery.bread", 4.0)
    (version,) = registry.register([record], alias="champion", example=ROWS)
    assert isinstance(version, ModelVersion)
    assert version.location.startswith("pack+file://")
    return version


@pytest.mark.usefixtures("entry_points")
def test_a_server_hands_out_packs_beside_everything_else(
    stock_server: RunningServer, tmp_path: Path
) -> None:
    import mlflow

    stock_server.clear()
    client = open_client(stock_server.url)
    run = client.create_run(client.create_experiment("uploads"))
    root = run.info.artifact_uri or ""
    client.log_text(run.info.run_id, "hello", "notes/a.txt")
    client.log_text(run.info.run_id, "again", "notes/b.txt")
    inside = root.removeprefix("mlflow-artifacts:/")
    with PackWriter((stock_server.artifacts / inside).as_uri(), address=root) as writer:
        location = writer.append(b"payload", {}, lambda _: FILES["MLmodel"])
        writer.seal()

    def listed(uri: str) -> list[str]:
        found = mlflow.artifacts.list_artifacts(artifact_uri=uri, tracking_uri=stock_server.url)
        return sorted(Path(file.path).name for file in found)

    def downloaded(uri: str) -> Path:
        return Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=uri, dst_path=str(tmp_path), tracking_uri=stock_server.url
            )
        )

    assert listed(f"{root}/notes") == ["a.txt", "b.txt"]
    assert listed(location) == ["MLmodel", "model.pkl"]
    assert listed(root) == [location.split("/")[-2], "notes"]
    assert (downloaded(location) / "model.pkl").read_bytes() == b"payload"
    assert downloaded(f"{location}/MLmodel").read_bytes() == FILES["MLmodel"]
    assert downloaded(f"{root}/notes/a.txt").read_text() == "hello"


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


def test_a_pack_is_read_only_and_its_place_is_not(location: str, tmp_path: Path) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    (tmp_path / "note.txt").write_text("hello")
    place = PackRepository(f"pack+{(tmp_path / 'packs').as_uri()}")
    place.log_artifact(str(tmp_path / "note.txt"), "notes")
    place.log_artifacts(str(tmp_path / "packs" / "notes"), "copies")

    assert (tmp_path / "packs" / "copies" / "note.txt").read_text() == "hello"
    assert place.get_local_path("notes/note.txt") == str(tmp_path / "packs" / "notes" / "note.txt")
    place.delete_artifacts("copies")
    assert not (tmp_path / "packs" / "copies").exists()
    inside = location.split("/packs/")[1]
    assert place.get_local_path(f"{inside}/MLmodel") is None
    refused: list[Callable[[], None]] = [
        lambda: place.log_artifact(str(tmp_path / "note.txt"), inside),
        lambda: place.log_artifacts(str(tmp_path), inside),
        lambda: place.delete_artifacts(inside),
        lambda: PackRepository(location).delete_artifacts(),
    ]
    for change in refused:
        with pytest.raises(MlflowException, match="finished pack"):
            change()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "..", "a\\b"])
def test_a_pack_that_somebody_made_up_writes_nothing_elsewhere(tmp_path: Path, name: str) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    with PackWriter(tmp_path.as_uri()) as writer:
        location = writer.append(b"payload", {name: b"x"}, lambda _: b"")
        writer.seal()
    (tmp_path / "target").mkdir()

    with pytest.raises(MlflowException, match="with the name"):
        PackRepository(location).download_artifacts("", str(tmp_path / "target"))
    assert not (tmp_path / "evil").exists()


@pytest.fixture
def as_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Makes this process look like a server; returns its destination."""
    destination = f"pack+{tmp_path.as_uri()}"
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "mlflow-artifacts:/")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", destination)
    return destination


def test_a_server_reads_no_folder_that_a_client_named(as_server: str, tmp_path: Path) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    (tmp_path / "note.txt").write_text("hello")
    assert PackRepository(as_server).get_local_path("note.txt") == str(tmp_path / "note.txt")
    for uri in ("pack+file:///etc", f"{as_server}/", f"{as_server}/folder"):
        with pytest.raises(MlflowException, match="leads to no model"):
            PackRepository(uri).get_local_path("note.txt")
        with pytest.raises(MlflowException, match="leads to no model"):
            PackRepository(uri).list_artifacts()


def test_a_server_with_users_reads_not_even_its_own_destination_unasked(
    as_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowException
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    from many_models.adapters.registry.pack_repository import PackRepository

    with_users = SimpleNamespace(is_auth_enabled=lambda: True)
    monkeypatch.setitem(sys.modules, "mlflow.server.auth", with_users)
    with pytest.raises(MlflowException, match="many-models-auth"):
        PackRepository(as_server).list_artifacts()
    plain = LocalArtifactRepository(as_server.removeprefix("pack+"))
    assert PackRepository(as_server, plain=plain).list_artifacts() == []


def test_a_server_goes_to_no_host_that_a_client_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowException

    from many_models.adapters.registry.pack_repository import PackRepository

    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "/artifacts")
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", "/artifacts")
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", "sqlite:///m.db")
    with pytest.raises(MlflowException, match="elsewhere"):
        PackRepository("pack+hdfs://elsewhere:8020/models.pack/8")
